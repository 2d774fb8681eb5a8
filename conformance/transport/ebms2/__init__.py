"""ebMS 2.0 as Digikoppeling uses it: a codec, and a message service handler for both sides."""
