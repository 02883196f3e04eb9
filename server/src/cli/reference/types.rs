//! The page of types: what may be asked of each, and what it may bring along.

use std::collections::BTreeMap;

use techo_profiles::json::Json;

use super::{Known, codes};
use crate::cli::Failure;

#[expect(clippy::unnecessary_wraps, reason = "one shape for all pages")]
pub(super) fn page(known: &Known) -> Result<String, Failure> {
    let types: String = known.types().iter().map(section).collect();
    Ok(format!("Besides the parameters [of every type](search.md).\n\n{types}"))
}

fn section(of: &Json) -> String {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for parameter in of.list("searchParam") {
        if let (Some(kind), Some(name)) = (parameter.str("type"), parameter.str("name"))
            && !name.starts_with('_')
        {
            kinds.entry(kind).or_default().push(name);
        }
    }
    let mut text = format!("## {}\n\n", of.str("type").unwrap_or_default());
    for (kind, names) in &kinds {
        text += &format!("- {kind}: {}\n", codes(names.iter().copied()));
    }
    if kinds.is_empty() {
        text += "No parameters of its own.\n";
    }
    text + "\n"
}
