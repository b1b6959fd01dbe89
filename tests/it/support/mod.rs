//! The sandbox that every test runs in.
