//! What traces ask for that stands in real files; whoever runs a trace says where they are.

use crate::vm::program::Program;

/// An access of a real program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The first page.
    pub page: u64,
    /// And the last.
    pub last: u64,
    /// Is there a load?
    pub load: bool,
    /// Is there a store?
    pub store: bool,
}

/// Accesses, or what is wrong with the file that has them.
pub type References<'a> = Box<dyn Iterator<Item = Result<Reference, String>> + 'a>;

/// What a trace may ask for that stands in real files.
pub trait Outside {
    /// A program, with all that it needs.
    fn program(&self, path: &str) -> Result<Program, String>;
    /// The accesses in a file.
    fn references(&self, path: &str) -> Result<References<'_>, String>;
}

/// Nothing: such operations are refused.
pub(super) struct Nothing;

impl Outside for Nothing {
    fn program(&self, _: &str) -> Result<Program, String> {
        Err("programs cannot be loaded here".to_owned())
    }

    fn references(&self, _: &str) -> Result<References<'_>, String> {
        Err("files cannot be read here".to_owned())
    }
}
