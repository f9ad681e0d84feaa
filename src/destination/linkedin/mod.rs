//! LinkedIn.
