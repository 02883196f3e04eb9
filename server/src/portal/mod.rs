//! The citizen's pages. Templates hold both languages side by side, and work
//! without JavaScript.

pub mod pages;
