//! placeholder
use crate::app::App; use std::sync::Arc;
use crate::auth::server::*; use futures_util::future::BoxFuture;
pub struct Filing(#[allow(dead_code)] Arc<App>);
impl Filing { pub fn new(a: Arc<App>) -> Self { Self(a) } }
impl FilesConsent for Filing {
 fn file<'a>(&'a self, _: &'a Approval) -> BoxFuture<'a, Result<Vec<String>, FilingError>> { Box::pin(async { Ok(vec![]) }) }
 fn end<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<(), FilingError>> { Box::pin(async { Ok(()) }) }
 fn patient_name<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Option<String>> { Box::pin(async { None }) }
}
