"""One function a message-level requirement: a message in, objections out; no clock, no disk, no network."""
