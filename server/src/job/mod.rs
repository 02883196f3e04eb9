//! Work that goes on beside the requests, one file each.

pub mod reindex;
