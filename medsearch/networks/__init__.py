"""Networks that two methods share, one file per block; a method's own stay in its package until a second needs them."""
