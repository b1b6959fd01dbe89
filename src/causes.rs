//! An error with its causes in one line, for logs, records and findings.

use std::error::Error;

use crate::credentials::without_credentials;

/// `error` and what caused it, each cause behind a colon, without credentials.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Errors that only pass another one on say the same.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    without_credentials(&text).into_owned()
}

/// An error of any kind, for the places where only its text counts.
pub type BoxError = Box<dyn Error + Send + Sync>;
