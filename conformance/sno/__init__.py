"""The norms of the SNO MijnOverheid that are counted over many messages; no clock, no disk, no network."""
