//! What the project checks itself with. Nothing here is needed to run an engine, and nothing in it is stable.
