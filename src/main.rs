//! `git dist`: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    git_dist::cli::main(std::env::args_os())
}
