//! Integration tests: the real binary against real repositories, in a sandbox of its own.

mod support;
