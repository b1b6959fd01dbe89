//! Credentials in addresses: they never get into records, logs and messages.

use std::borrow::Cow;

/// `text` without what its URLs hold of credentials: user and password, the user name alone where it is part of the
/// address (`ssh`) excepted, and the values of queries and fragments, which may be tokens. The short form of ssh
/// (`user:password@host:path`) counts as one. A token that is part of the path cannot be told from it.
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let clean = if word.contains("://") { clean_urls } else { clean_short_form };
        clean(word, &mut cleaned);
    }
    Cow::Owned(cleaned)
}

/// What may end a URL in a message.
const ENDS: [char; 7] = ['`', '"', '\'', '<', '>', ')', ','];

fn clean_urls(word: &str, cleaned: &mut String) {
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("://") {
        cleaned.push_str(before);
        cleaned.push_str("://");
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let mut at = after[..end].rfind('@');
        if at.is_none() && has_odd_port(&after[..end]) {
            // A password with a slash in it: git does not take this for a URL, but it is written somewhere.
            at = after.rfind('@');
        }
        let mut host = after;
        if let Some(at) = at {
            let user = after[..at].split(':').next().unwrap_or_default();
            let user = user.split("%3A").next().and_then(|user| user.split("%3a").next()).unwrap_or_default();
            if before.ends_with("ssh") && !user.is_empty() {
                cleaned.push_str(user);
                cleaned.push('@');
            }
            host = &after[at + 1..];
        }
        // Up to the next URL in this word, if there is one.
        let end = host.find("://").map_or(host.len(), |next| {
            host[..next]
                .rfind(|c: char| !c.is_ascii_alphanumeric() && !"+.-".contains(c))
                .map_or(0, |at| at + 1)
        });
        clean_query(&host[..end], cleaned);
        rest = &host[end..];
    }
    cleaned.push_str(rest);
}

/// True if what follows the host's colon is no number.
fn has_odd_port(authority: &str) -> bool {
    let port = authority.split_once(':').map_or("", |(_, port)| port).trim_end();
    !authority.starts_with('[') && !port.trim_end_matches(ENDS).bytes().all(|byte| byte.is_ascii_digit())
}

fn clean_query(url: &str, cleaned: &mut String) {
    let Some(start) = url.find(['?', '#']) else { return cleaned.push_str(url) };
    cleaned.push_str(&url[..start]);
    let end = url[start..].find(|c: char| c.is_whitespace() || ENDS.contains(&c));
    let end = end.map_or(url.len(), |end| start + end);
    for pair in url[start..end].split_inclusive(['&', ';', '#']) {
        match pair.split_once('=') {
            Some((name, value)) => {
                cleaned.push_str(name);
                cleaned.push_str("=***");
                cleaned.push_str(&value[value.trim_end_matches(['&', ';', '#']).len()..]);
            }
            None => cleaned.push_str(pair),
        }
    }
    cleaned.push_str(&url[end..]);
}

/// `user:password@host:path`, which git takes for a path on the host `user`.
fn clean_short_form(word: &str, cleaned: &mut String) {
    let begin = word.find(|c: char| !ENDS.contains(&c)).unwrap_or(0);
    let parts = word[begin..].rsplit_once('@').and_then(|(before, after)| {
        let (user, password) = before.split_once(':')?;
        let is_one = !user.is_empty() && !user.contains('/') && !password.is_empty() && after.contains(':');
        is_one.then_some((user, after))
    });
    match parts {
        Some((user, after)) => {
            cleaned.push_str(&word[..begin]);
            cleaned.push_str(user);
            cleaned.push('@');
            cleaned.push_str(after);
        }
        None => cleaned.push_str(word),
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn passwords_and_tokens_never_leave() {
        for (text, shown) in [
            ("https://user:secret@example.org/x.git", "https://example.org/x.git"),
            ("https://ghp_token@example.org/x.git", "https://example.org/x.git"),
            ("https://user%3Asecret@example.org/x.git", "https://example.org/x.git"),
            ("https://user:secret@host@example.org/x", "https://example.org/x"),
            ("https://user:sec/ret@example.org/x", "https://example.org/x"),
            ("https://user:sec?ret@example.org/x", "https://example.org/x"),
            ("https://user:secret@example.org", "https://example.org"),
            ("ftp://user:secret@[::1]:21/x", "ftp://[::1]:21/x"),
            ("ssh://git:secret@example.org/x.git", "ssh://git@example.org/x.git"),
            ("ssh://git%3Asecret@example.org/x.git", "ssh://git@example.org/x.git"),
            ("git+ssh://git@example.org/x.git", "git+ssh://git@example.org/x.git"),
            ("git@example.org:x.git", "git@example.org:x.git"),
            ("git:secret@example.org:x.git", "git@example.org:x.git"),
            ("`git:secret@example.org:x.git`", "`git@example.org:x.git`"),
            (
                "https://example.org/x?private_token=secret&b=c#d",
                "https://example.org/x?private_token=***&b=***#d",
            ),
            ("https://example.org/#access_token=secret", "https://example.org/#access_token=***"),
            (
                "fatal: 'https://u:secret@a/x' is not 'https://v:secret@b/y?t=secret', says a@b",
                "fatal: 'https://a/x' is not 'https://b/y?t=***', says a@b",
            ),
            ("https://u:secret@a/x,https://v:secret@b/y", "https://a/x,https://b/y"),
            ("https://[::1]:8443/a@b", "https://[::1]:8443/a@b"),
            ("https://example.org:8443/a@b", "https://example.org:8443/a@b"),
            ("`https://example.org:8443`, ada@example.org", "`https://example.org:8443`, ada@example.org"),
            ("https://example.org/a@b", "https://example.org/a@b"),
            ("Ada Example <ada@example.org>", "Ada Example <ada@example.org>"),
            ("/srv/a:b@c/x:y.git", "/srv/a:b@c/x:y.git"),
            ("/srv/git/x.git", "/srv/git/x.git"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
