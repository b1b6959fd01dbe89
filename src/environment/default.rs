//! The values of names that nobody defines.
//!
//! `ENV`, `ROOT`, `DEPLOY_ROOT`, `PLATFORM` and `HOME` are distman's; `STACK` is envstack's.

use std::path::Path;

use super::error::EnvironmentError;
use super::resolve::{Resolver, not_utf8};
use super::template::{Piece, Template};
use super::{Origin, Variable};

/// The names that have a default. An empty one in the process environment counts as unset, as
/// in the XDG specification: with `DEPLOY_ROOT=` everything would be deployed below `/`.
pub(super) const DEFAULTS: [&str; 6] = ["ENV", "ROOT", "DEPLOY_ROOT", "PLATFORM", "HOME", STACK];

/// The name of the environment file, which envstack provides. It says what is being read, so a
/// value that the process environment has from some other stack does not count.
pub(super) const STACK: &str = "STACK";

impl Resolver<'_> {
    /// The default of `name`; `None` if it has none, or if it is `HOME` and nobody knows it.
    pub(super) fn default(&mut self, name: &str) -> Result<Option<Variable>, EnvironmentError> {
        let value = match name {
            "ENV" => "prod".to_owned(),
            "PLATFORM" => self.context.platform.to_owned(),
            STACK => self.stack.name.clone(),
            "HOME" => match self.context.home.map(Path::to_str) {
                Some(Some(home)) if !home.is_empty() => home.to_owned(),
                Some(None) => return Err(not_utf8(name)),
                _ => return Ok(None),
            },
            "ROOT" => {
                let below_home = match self.context.platform {
                    "windows" => None,
                    "darwin" => Some("Library/Application Support/pipe"),
                    _ => Some(".local/pipe"),
                };
                match below_home {
                    None => "C:/ProgramData/pipe".to_owned(),
                    Some(path) => {
                        let home = self.expand_default(name, &["HOME"])?;
                        if home.is_empty() {
                            let name = name.to_owned();
                            return Err(EnvironmentError::NoHome { name });
                        }
                        format!("{}/{path}", home.trim_end_matches('/'))
                    }
                }
            }
            "DEPLOY_ROOT" => self.expand_default(name, &["ROOT", "ENV"])?,
            _ => return Ok(None),
        };
        Ok(Some(Variable { value, origins: vec![Origin::Default] }))
    }

    /// The values of `names`, with slashes between them, as the default of `name`.
    fn expand_default(&mut self, name: &str, names: &[&str]) -> Result<String, EnvironmentError> {
        let mut pieces = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                pieces.push(Piece::Text("/".to_owned()));
            }
            pieces.push(Piece::Reference { name: (*name).to_owned(), fallback: None });
        }
        let expansion = self.expand_frame(name, 0, None, &Template { pieces })?;
        Ok(expansion.value)
    }
}
