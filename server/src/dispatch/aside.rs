//! Large requests, answered beside all others.
//!
//! A body of megabytes is read, checked, changed and indexed in one go, which takes as long
//! as thousands of small requests. There are as few threads as cores that answer: two such
//! bodies would keep everybody else waiting, and the question whether the server lives too.
//! So whoever carries one out hands the thread's other work on before each step.

use std::future::poll_fn;
use std::pin::pin;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::interaction::Interaction;

/// Bytes up to which a request is a matter of milliseconds.
const SMALL: usize = 64 * 1024;

/// Whether carrying an interaction out may take long without a pause.
pub(super) fn is_large(interaction: &Interaction) -> bool {
    let long = |query: &[(String, String)]| query.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    match interaction {
        Interaction::Create { body, .. } | Interaction::Update { body, .. } | Interaction::Bundle(body) => {
            body.len() > SMALL
        }
        // A few bytes may change, or ask of, a record of any size.
        Interaction::Patch { .. } => true,
        Interaction::Operation(asked) => asked.post,
        Interaction::Search(_, query) => long(query) > SMALL,
        Interaction::Read(..)
        | Interaction::Vread(..)
        | Interaction::History(..)
        | Interaction::Delete { .. }
        | Interaction::Capabilities(_) => false,
    }
}

/// Does `work` such that no other work waits for the end of one of its steps.
pub(super) async fn aside<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        // Where there is but one thread, there is none to hand on to.
        if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
            block_in_place(|| work.as_mut().poll(context))
        } else {
            work.as_mut().poll(context)
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Work that waits for another task without a pause: on the only thread that answers
    /// the two would wait for each other for ever.
    #[test]
    fn what_takes_long_keeps_nobody_waiting() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let told = runtime.block_on(runtime.spawn(async {
            let (tell, told) = channel();
            let other = tokio::spawn(async move { tell.send("another was answered") });
            let found = aside(async move { told.recv() }).await;
            other.await.expect("the other ends").expect("it is heard");
            found
        }));
        assert_eq!(told.expect("the work ends"), Ok("another was answered"));
    }

    #[tokio::test]
    async fn it_is_done_where_there_is_one_thread_too() {
        assert_eq!(aside(async { 1 }).await, 1);
    }
}
