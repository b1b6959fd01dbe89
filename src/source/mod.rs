//! Where the content of a deployment comes from.

pub mod git;
