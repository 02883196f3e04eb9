//! Several scopes together: what they allow, and whether one set covers another.

use std::fmt::{self, Display, Formatter};

use super::{Action, Category, Context, Meaning, ResourceScope, Scope, ScopeError};

/// Scopes in the order in which they were asked for, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

/// What a set of scopes allows for one type and action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Nothing.
    No,
    /// Every resource of the type.
    All,
    /// The resources that are in one of these categories.
    Categories(Vec<Category>),
}

impl Scopes {
    /// The scopes in `text`, parted by spaces; those that make no sense come with the reason.
    pub fn parse(text: &str) -> (Self, Vec<(String, ScopeError)>) {
        let mut unknown = Vec::new();
        let mut known = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match Scope::parse(word) {
                Ok(scope) => known.add(scope),
                Err(error) => unknown.push((word.to_owned(), error)),
            }
        }
        (known, unknown)
    }

    /// The scopes in `text` that make sense; the others are dropped (RFC 6749 §3.3 allows it).
    pub fn known(text: &str) -> Self {
        Self::parse(text).0
    }

    /// Adds one scope, unless it is there already.
    pub fn add(&mut self, scope: Scope) {
        if !self.0.contains(&scope) {
            self.0.push(scope);
        }
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// The resource scopes in order.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.0.iter().filter_map(Scope::resource)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them means `meaning`.
    pub fn has(&self, meaning: &Meaning) -> bool {
        self.0.iter().any(|scope| scope.meaning() == meaning)
    }

    /// Whether one of them is about data of `context`.
    pub fn speaks_of(&self, context: Context) -> bool {
        self.resources().any(|scope| scope.context == context)
    }

    /// Those for which `keep` holds.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Scope) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope)).cloned().collect())
    }

    /// What these allow in `context` for one type and action. A scope for the
    /// whole type wins over one for a category beside it; several categories add up.
    pub fn allows(&self, context: Context, kind: &str, action: Action) -> Grant {
        grant(self.resources().filter(|own| own.context == context && own.names(kind) && own.actions.has(action)))
    }

    /// Whether these allow all that `asked` would.
    pub fn cover(&self, asked: &Scope) -> bool {
        let Meaning::Resource(asked) = asked.meaning() else { return self.has(asked.meaning()) };
        asked.actions.iter().all(|action| {
            let fitting = self.resources().filter(|own| {
                let named = own.kind.is_none() || own.kind == asked.kind;
                own.context == asked.context && named && own.actions.has(action)
            });
            match grant(fitting) {
                Grant::No => false,
                Grant::All => true,
                Grant::Categories(own) => {
                    !asked.categories.is_empty() && asked.categories.iter().all(|category| within(&own, category))
                }
            }
        })
    }

    /// What of `asked` these allow. A scope that is wholly covered stays as it was
    /// spelled; one that is partly covered comes back as its covered part.
    #[must_use]
    pub fn intersect(&self, asked: &Self) -> Self {
        let mut common = Self::default();
        for scope in asked.iter() {
            if self.cover(scope) {
                common.add(scope.clone());
            } else if let Some(asked) = scope.resource() {
                self.resources().filter_map(|own| own.common(asked)).for_each(|scope| common.add(scope));
            }
        }
        common
    }
}

/// A category without a system stands for that code in any system.
fn within(own: &[Category], asked: &Category) -> bool {
    own.iter().any(|(system, code)| *code == asked.1 && (system.is_none() || *system == asked.0))
}

fn grant<'a>(scopes: impl Iterator<Item = &'a ResourceScope>) -> Grant {
    let mut categories: Vec<Category> = Vec::new();
    for scope in scopes {
        if scope.categories.is_empty() {
            return Grant::All;
        }
        for category in &scope.categories {
            if !categories.contains(category) {
                categories.push(category.clone());
            }
        }
    }
    if categories.is_empty() { Grant::No } else { Grant::Categories(categories) }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::default();
        scopes.into_iter().for_each(|scope| set.add(scope));
        set
    }
}

/// Parted by spaces, as in a token answer.
impl Display for Scopes {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(Scope::text).collect();
        out.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_left_out_and_the_spelling_stays() {
        let (known, unknown) = Scopes::parse("user/*.*  patient/*.read openid profile patient/*.read");
        assert_eq!(known.to_string(), "user/*.* patient/*.read openid");
        assert_eq!(unknown, [("profile".to_owned(), ScopeError::Unknown)]);
    }

    #[test]
    fn what_is_allowed() {
        let scopes = Scopes::known(
            "patient/Observation.rs?category=a patient/Observation.r?category=x|b patient/Condition.rs \
             patient/Condition.rs?category=a user/*.read",
        );
        let only = |list: &[(Option<&str>, &str)]| {
            Grant::Categories(list.iter().map(|(system, code)| (system.map(Into::into), (*code).into())).collect())
        };
        for (context, kind, action, expected) in [
            (Context::Patient, "Observation", Action::Read, only(&[(None, "a"), (Some("x"), "b")])),
            (Context::Patient, "Observation", Action::Search, only(&[(None, "a")])),
            (Context::Patient, "Observation", Action::Create, Grant::No),
            (Context::Patient, "Condition", Action::Read, Grant::All),
            (Context::Patient, "Patient", Action::Read, Grant::No),
            (Context::User, "Patient", Action::Search, Grant::All),
            (Context::User, "Patient", Action::Delete, Grant::No),
            (Context::System, "Patient", Action::Read, Grant::No),
        ] {
            assert_eq!(scopes.allows(context, kind, action), expected, "{context:?} {kind} {action:?}");
        }
    }

    #[test]
    fn covering() {
        let granted = Scopes::known("patient/*.rs patient/Observation.c?category=a openid offline_access");
        for (asked, expected) in [
            ("openid", true),
            ("fhirUser", false),
            ("patient/*.rs", true),
            ("patient/*.read", true),
            ("patient/Observation.r", true),
            ("patient/Observation.r?category=a", true),
            ("patient/*.cruds", false),
            ("patient/Observation.c", false),
            ("patient/Observation.c?category=a", true),
            ("patient/Observation.c?category=s|a", true),
            ("patient/Observation.c?category=a,b", false),
            ("user/Observation.r", false),
        ] {
            let asked = Scope::parse(asked).expect("a scope");
            assert_eq!(granted.cover(&asked), expected, "{asked}");
        }
    }

    #[test]
    fn intersections() {
        for (own, asked, expected) in [
            ("system/*.cruds", "system/Patient.read system/*.rs", "system/Patient.read system/*.rs"),
            ("system/*.rs", "system/*.cruds", "system/*.rs"),
            ("system/Patient.rs system/Observation.r", "system/*.*", "system/Patient.rs system/Observation.r"),
            ("system/Patient.rs", "system/Patient.d system/Group.r user/Patient.r", ""),
            ("system/Condition.r?category=a", "system/Condition.rs", "system/Condition.r?category=a"),
            ("system/Condition.r?category=a", "system/Condition.r?category=b", ""),
            ("system/launch.c", "system/launch.c system/*.cruds", "system/launch.c"),
        ] {
            let common = Scopes::known(own).intersect(&Scopes::known(asked));
            assert_eq!(common.to_string(), expected, "{own} ∩ {asked}");
        }
    }
}
