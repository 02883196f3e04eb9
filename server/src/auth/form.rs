//! Parameters of a query or a posted form.
//!
//! A parameter that comes twice is an error where it is asked for; those that
//! nobody asks for are ignored. An empty one counts as absent.
//!
//! Source: RFC 6749 §3.1, §3.2

use oauth2::url::form_urlencoded;

/// Parameters in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

/// A parameter that came more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter {0} came more than once")]
pub struct Repeated(pub &'static str);

impl Form {
    /// Reads `a=b&c=d`.
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The one value of `name`.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(Repeated(name)) } else { Ok(first.filter(|value| !value.is_empty())) }
    }

    /// Every value of `name`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Without the parameters for which `drop` holds.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&str, &str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, value)| !drop(name, value)).cloned().collect())
    }

    /// Written as a query.
    pub fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_twice_never_and_empty() {
        let form = Form::parse(b"a=1&b=2&b=3&c=&d=%E5%B1%B1+x");
        assert_eq!(form.one("a"), Ok(Some("1")));
        assert_eq!(form.one("b"), Err(Repeated("b")));
        assert_eq!(form.one("c"), Ok(None));
        assert_eq!(form.one("d"), Ok(Some("山 x")));
        assert_eq!(form.one("e"), Ok(None));
        assert_eq!(Form::parse(form.query().as_bytes()), form);
    }
}
