//! Which format is it? The caller's word first, the file's own look otherwise.

use super::{IMPORTERS, Importer, Part};

/// The importer called `name`.
pub fn named(name: &str) -> Option<&'static Importer> {
    IMPORTERS.iter().find(|importer| importer.name == name)
}

/// The first importer that takes this file for its own.
pub fn detect(part: &Part<'_>) -> Option<&'static Importer> {
    IMPORTERS.iter().find(|importer| (importer.detects)(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for importer in IMPORTERS {
            let same = IMPORTERS.iter().filter(|other| other.name == importer.name).count();
            assert_eq!(same, 1, "{}", importer.name);
        }
    }

    #[test]
    fn nothing_is_no_format() {
        assert!(detect(&Part { name: None, bytes: b"" }).is_none());
    }
}
