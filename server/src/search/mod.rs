//! Query text → plan, and resource → index rows.
