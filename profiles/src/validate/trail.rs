//! The way from the resource to the value at hand, written out only when needed.

use std::fmt::Write as _;

/// One step of the way, linked to the one before on the stack: no allocation
/// while nothing is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'a> {
    before: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    /// The type of the resource at the start.
    Type(&'a str),
    Name(&'a str),
    /// A choice and the type it has: `value`, `Quantity`.
    Choice(&'a str, &'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    pub(crate) fn root() -> Self {
        Self { before: None, step: Step::Root }
    }

    fn then(&'a self, step: Step<'a>) -> Trail<'a> {
        Trail { before: Some(self), step }
    }

    /// The resource here is of this type. Only the outermost type is written.
    pub(crate) fn typed(&'a self, name: &'a str) -> Trail<'a> {
        match self.step {
            Step::Root => self.then(Step::Type(name)),
            Step::Type(_) | Step::Name(_) | Step::Choice(..) | Step::Index(_) => *self,
        }
    }

    pub(crate) fn name(&'a self, name: &'a str) -> Trail<'a> {
        self.then(Step::Name(name))
    }

    pub(crate) fn choice(&'a self, name: &'a str, type_name: &'a str) -> Trail<'a> {
        self.then(Step::Choice(name, type_name))
    }

    pub(crate) fn index(&'a self, index: usize) -> Trail<'a> {
        self.then(Step::Index(index))
    }

    /// The way as a `FHIRPath` expression.
    pub(crate) fn expression(&self) -> String {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(trail) = at {
            steps.push(trail.step);
            at = trail.before;
        }
        let is_typed = matches!(steps.iter().rev().nth(1), Some(Step::Type(_)));
        let mut text = String::new();
        for step in steps.into_iter().rev() {
            let dot = if text.is_empty() { "" } else { "." };
            let _ = match step {
                Step::Root if is_typed => Ok(()),
                Step::Root => write!(text, "%resource"),
                Step::Type(name) | Step::Name(name) => write!(text, "{dot}{name}"),
                Step::Choice(name, type_name) => write!(text, "{dot}{name}.ofType({type_name})"),
                Step::Index(index) => write!(text, "[{index}]"),
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_written_as_fhirpath() {
        let root = Trail::root();
        assert_eq!(root.expression(), "%resource");
        assert_eq!(root.name("resourceType").expression(), "%resource.resourceType");
        let observation = root.typed("Observation");
        let component = observation.name("component");
        let second = component.index(1);
        let value = second.choice("value", "Quantity");
        assert_eq!(value.name("unit").expression(), "Observation.component[1].value.ofType(Quantity).unit");
        let contained = observation.name("contained");
        assert_eq!(contained.typed("Patient").name("name").expression(), "Observation.contained.name");
    }
}
