//! The command line: arguments are parsed and resolved, a room below does the work, the printer tells of it. No
//! decision is taken here.

mod args;
mod context;
mod deploy;
mod error;
mod json;
mod printer;
mod progress;
mod show;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use args::command;
use args::{Cli, Command};
use context::Context;
use error::CliError;
use printer::Printer;

/// Runs `git dist` with `arguments`, the program's name first, and returns its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to fail after help was asked for.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { error::USAGE } else { error::DONE });
        }
    };
    let mut printer = Printer::new(&cli.global);
    match run(cli, &mut printer) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            printer.error(&error);
            ExitCode::from(error.code())
        }
    }
}

fn run(cli: Cli, printer: &mut Printer) -> Result<u8, CliError> {
    let mut context = Context::new(&cli.global, printer)?;
    match cli.command {
        None => deploy::run(&mut context, &cli.deploy),
        Some(Command::Show(arguments)) => show::run(&mut context, &arguments),
    }
}
