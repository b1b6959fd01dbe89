//! The command line: arguments are parsed and resolved, a room below does the work, the printer tells of it. No
//! decision is taken here.

mod args;
mod back;
mod cache;
mod context;
mod deploy;
mod diff;
mod doctor;
mod env;
mod error;
mod hook;
mod init;
mod install;
mod interrupts;
mod json;
mod log;
mod manual;
mod parse;
mod printer;
mod progress;
mod publish;
mod run;
mod show;
mod spelling;
mod table;
mod uncommitted;
mod update;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

pub use args::command;
use args::{Cli, Command};
use context::Context;
use error::CliError;
use interrupts::Interrupts;
use parse::parse;
use printer::Printer;

use crate::disk::do_not_sync;
use crate::log_file::Level;

/// Runs `git dist` with `arguments`, the program's name first, and returns its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to fail after help was asked for.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { error::USAGE } else { error::DONE });
        }
    };
    if cli.global.no_sync {
        do_not_sync();
    }
    let printer = Printer::new(&cli.global);
    let interrupts = Interrupts::catch();
    match run(cli, &printer, &interrupts) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            printer.error(&error);
            ExitCode::from(interrupts.exit_code().unwrap_or(error.code()))
        }
    }
}

fn run(cli: Cli, printer: &Printer, interrupts: &Interrupts) -> Result<u8, CliError> {
    let context = Context::new(&cli, printer, interrupts)?;
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    printer.note(Level::Debug, format!("git dist {}", arguments.join(" ".as_ref()).display()));
    match cli.command {
        None => match spelling::run(&context, &cli.deploy)? {
            Some(code) => Ok(code),
            None => deploy::run(&context, &cli.deploy),
        },
        Some(Command::Show(arguments)) => show::run(&context, &arguments),
        Some(Command::Diff(arguments)) => diff::run(&context, &arguments),
        Some(Command::Log(arguments)) => log::run(&context, &arguments),
        Some(Command::Rollback(arguments)) => back::rollback(&context, &arguments),
        Some(Command::Use(arguments)) => back::activate(&context, &arguments),
        Some(Command::Reset(arguments)) => back::reset(&context, &arguments),
        Some(Command::Delete(arguments)) => back::delete(&context, &arguments),
        Some(Command::Prune(arguments)) => back::prune(&context, &arguments),
        Some(Command::Verify(arguments)) => verify::run(&context, &arguments),
        Some(Command::Cache(arguments)) => cache::run(&context, &arguments),
        Some(Command::Env(arguments)) => env::run(&context, &arguments),
        Some(Command::Init(_)) => init::run(&context),
        Some(Command::Doctor(_)) => doctor::run(&context),
        Some(Command::Schema(_)) => manual::schema(&context),
        Some(Command::Completions(arguments)) => manual::completions(&context, &arguments),
        Some(Command::Man(arguments)) => manual::man(&context, &arguments),
        Some(Command::Run(arguments)) => run::run(&context, &arguments),
        Some(Command::Hook(arguments)) => hook::run(&context, arguments),
        Some(Command::Publish(arguments)) => publish::run(&context, &arguments),
        Some(Command::Update(arguments)) => update::run(&context, &arguments),
        Some(Command::Install(arguments)) => install::run(&context, &arguments),
    }
}
