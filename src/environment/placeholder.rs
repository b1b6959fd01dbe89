//! The `{NAME}` placeholders of a destination in `dist.json`.
//!
//! A `{` always begins a placeholder, as in distman: what is not `{NAME}` is an error rather
//! than a directory with a brace in its name. A lone `}` is text. A value is put in as it is and
//! not expanded again. A `~` that begins the result and is all of its first component is the
//! home directory.

use super::error::PlaceholderError;
use super::resolve::MAX_VALUE_BYTES;
use super::{Environment, Unusable, is_variable_name};
use crate::spelling::nearest;

impl Environment {
    /// Fills in the `{NAME}` of a destination.
    ///
    /// `${NAME}` belongs into an environment file. distman reads it as a dollar sign before
    /// `{NAME}`, which nobody means in a path, so it is an error here.
    ///
    /// # Errors
    ///
    /// [`PlaceholderError`] if a brace begins no placeholder, a name is unknown or has no usable
    /// value, the destination begins with an empty one, or the result is too long.
    pub fn expand(&self, template: &str) -> Result<String, PlaceholderError> {
        let mut result = String::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let (text, after) = (&rest[..open], &rest[open + 1..]);
            let name = after.split_once('}').map(|(name, _)| name);
            let Some(name) = name.filter(|name| is_variable_name(name)) else {
                let before = template.len() - rest.len() + open;
                return Err(PlaceholderError::Malformed {
                    template: template.to_owned(),
                    column: template[..before].chars().count() + 1,
                });
            };
            if text.ends_with('$') {
                return Err(PlaceholderError::Dollar {
                    template: template.to_owned(),
                    name: name.to_owned(),
                });
            }
            push(&mut result, text)?;
            let value = self.placeholder(name, template)?;
            if result.is_empty() && value.is_empty() {
                return Err(PlaceholderError::EmptyStart {
                    template: template.to_owned(),
                    name: name.to_owned(),
                });
            }
            push(&mut result, value)?;
            rest = &after[name.len() + 1..];
        }
        push(&mut result, rest)?;
        match result.strip_prefix('~') {
            Some(below) if below.is_empty() || below.starts_with('/') => {
                let home = self.placeholder("HOME", template)?;
                if home.is_empty() {
                    let template = template.to_owned();
                    return Err(PlaceholderError::NoHome { template });
                }
                Ok(format!("{}{below}", home.trim_end_matches('/')))
            }
            _ => Ok(result),
        }
    }

    fn placeholder(&self, name: &str, template: &str) -> Result<&str, PlaceholderError> {
        if let Some(variable) = self.get(name) {
            return Ok(&variable.value);
        }
        let template = template.to_owned();
        match self.unusable.get(name) {
            Some(Unusable::NotUtf8) => Err(PlaceholderError::NotUtf8 { template, name: name.to_owned() }),
            Some(Unusable::NoHome) => Err(PlaceholderError::NoHome { template }),
            None => {
                let known = self.variables.keys().chain(self.inherited.keys());
                Err(PlaceholderError::Unknown {
                    template,
                    name: name.to_owned(),
                    nearest: nearest(name, known.map(String::as_str)).map(ToOwned::to_owned),
                })
            }
        }
    }
}

fn push(result: &mut String, text: &str) -> Result<(), PlaceholderError> {
    if result.len() + text.len() > MAX_VALUE_BYTES {
        return Err(PlaceholderError::TooLong);
    }
    result.push_str(text);
    Ok(())
}
