//! What one panel of the picture shows, collected and small: bands of pages and groups of frames.

/// What a page is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Private,
    Shared,
    Merged,
    File,
    Zero,
    Swapped,
    Guard,
    Untouched,
    Unmapped,
}

impl Kind {
    pub(super) const ALL: [Kind; 9] = [
        Kind::Private,
        Kind::Shared,
        Kind::Merged,
        Kind::File,
        Kind::Zero,
        Kind::Swapped,
        Kind::Guard,
        Kind::Untouched,
        Kind::Unmapped,
    ];

    /// As bands are labelled, and as classes of the style sheet are named.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Private => "private",
            Kind::Shared => "shared",
            Kind::Merged => "merged",
            Kind::File => "file",
            Kind::Zero => "zero",
            Kind::Swapped => "swapped",
            Kind::Guard => "guard",
            Kind::Untouched => "none",
            Kind::Unmapped => "unmapped",
        }
    }

    /// For the legend.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Kind::Private => "one owner: written in place",
            Kind::Shared => "several owners: copied when written",
            Kind::Merged => "equal contents, one frame",
            Kind::File => "a page of a file",
            Kind::Zero => "read, never written: the one zero frame",
            Kind::Swapped => "in swap",
            Kind::Guard => "no access at all",
            Kind::Untouched => "not touched: no entry, no frame",
            Kind::Unmapped => "in no area",
        }
    }

    /// Is there something in the page table?
    pub(super) fn is_present(self) -> bool {
        !matches!(self, Kind::Untouched | Kind::Unmapped)
    }
}

/// A moment of the run.
#[derive(Default)]
pub(super) struct Panel {
    pub(super) label: String,
    /// Of the trace: the moment is behind it.
    pub(super) line: usize,
    /// What was done since the panel before.
    pub(super) since: Vec<Step>,
    pub(super) spaces: Vec<Space>,
    /// Address spaces that are not shown.
    pub(super) more_spaces: usize,
    pub(super) groups: Vec<Group>,
    /// Pages that have a frame, over all processes, and the frames that they have, both without
    /// the zero frame; and frames in use.
    pub(super) mapped: u64,
    pub(super) frames: u64,
    pub(super) used: u64,
}

/// An operation of the trace, and what came of it.
pub(super) struct Step {
    pub(super) text: String,
    pub(super) effect: String,
    /// It changed nothing that can be seen.
    pub(super) quiet: bool,
}

/// An address space.
pub(super) struct Space {
    /// The process, or several when a `vfork` lets them have one space.
    pub(super) names: Vec<String>,
    pub(super) tables: u64,
    /// Leaf tables, and how many of them other spaces have too.
    pub(super) leaves: u64,
    pub(super) leaves_shared: u64,
    pub(super) regions: Vec<Region>,
    pub(super) more_regions: usize,
}

/// A region of an address space.
pub(super) struct Region {
    pub(super) name: String,
    pub(super) pages: u64,
    /// What may be done with it, as in `/proc/PID/maps`.
    pub(super) rights: String,
    pub(super) bands: Vec<Band>,
    /// The same at true scale: what most present pages of each stretch are.
    pub(super) strip: Vec<Stretch>,
}

/// Pages of one kind, in a row or scattered.
pub(super) struct Band {
    pub(super) kind: Kind,
    /// The frames behind it, by their place in `Panel::groups`.
    pub(super) group: Option<usize>,
    /// Its entries stand in page tables that other spaces have too.
    pub(super) by_table: bool,
    /// What may be done, where parts of the region differ in it.
    pub(super) rights: Option<String>,
    /// From the region's start.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) pages: u64,
    /// In so many places.
    pub(super) runs: u64,
}

/// Cells of a strip that look the same.
pub(super) struct Stretch {
    pub(super) kind: Kind,
    /// How many pages are present: none, few, many, most.
    pub(super) density: u8,
    pub(super) cells: usize,
}

/// Frames of one kind that the same regions have, or slots of the swap.
pub(super) struct Group {
    pub(super) kind: Kind,
    pub(super) frames: u64,
    /// How often one of them is mapped.
    pub(super) fewest: u64,
    pub(super) most: u64,
    /// Who has them: places of a space and of a region in it.
    pub(super) owners: Vec<(usize, usize)>,
    /// Regions that are not shown have them too, or alone.
    pub(super) hidden: bool,
    /// So many groups are taken together here.
    pub(super) folded: usize,
}
