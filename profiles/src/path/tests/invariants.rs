//! Every invariant of R4's types: read, and evaluated on what it is about.

use std::collections::BTreeSet;

use super::context;
use super::parameters::resources;
use crate::Definitions;
use crate::definitions::Constraint;
use crate::path::{Context, Expression, Node, Reason, walk};

/// What invariants call that is not built.
const NOT_BUILT: &[&str] = &["htmlChecks()"];

/// What the sample resources do break.
const BROKEN: &[&str] = &["ait-1", "bdl-9", "con-4", "dom-6", "obs-6"];

#[test]
fn every_invariant_is_understood() {
    let definitions = Definitions::embedded();
    let mut seen = BTreeSet::new();
    for name in definitions.type_names() {
        let definition = definitions.type_def(name).expect(name);
        for constraint in definition.elements.iter().flat_map(|element| &element.constraints) {
            let Some(text) = constraint.expression.as_deref().filter(|text| seen.insert(text.to_owned())) else {
                continue;
            };
            if let Err(error) = Expression::parse(text) {
                let known = NOT_BUILT.iter().any(|call| error.text.contains(call));
                assert!(error.reason == Reason::UnknownFunction && known, "{}: {text}: {error}", constraint.key);
            }
        }
    }
    assert!(seen.len() > 150, "only {} invariants", seen.len());
}

#[test]
fn invariants_hold_on_elements_that_keep_them() {
    let mut counts = (0, BTreeSet::new());
    for resource in &resources() {
        let root = Node::resource(resource);
        // `dom-3` casts whole collections.
        check(root, &context().lenient_as().resource(root), &mut counts);
    }
    let (evaluated, broken) = counts;
    assert!(evaluated > 400, "only {evaluated} evaluations");
    assert_eq!(broken.iter().map(String::as_str).collect::<Vec<_>>(), BROKEN);
}

fn check<'a>(node: Node<'a>, context: &Context<'a>, counts: &mut (usize, BTreeSet<String>)) {
    for constraint in constraints(node.type_name()) {
        let Some(text) = &constraint.expression else { continue };
        let Ok(expression) = Expression::parse(text) else { continue };
        let expression: &'static Expression = Box::leak(Box::new(expression));
        counts.0 += 1;
        match expression.truth(node, context) {
            Ok(Some(true) | None) => {}
            Ok(Some(false)) => drop(counts.1.insert(constraint.key.to_string())),
            Err(error) => panic!("{} on {}: {error}: {text}", constraint.key, node.type_name()),
        }
    }
    let mut children = Vec::new();
    walk::children(context.model, &node, |_, _, child| children.push(child));
    for child in children {
        check(child, context, counts);
    }
}

fn constraints(type_name: &str) -> Vec<Constraint> {
    let definitions = Definitions::embedded();
    let root = type_name.split('.').next().expect("a name");
    let element = definitions.type_def(root).and_then(|definition| definition.element(type_name));
    element.map_or_else(Vec::new, |element| element.constraints.iter().map(|one| Constraint::clone(one)).collect())
}
