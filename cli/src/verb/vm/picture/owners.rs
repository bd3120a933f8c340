//! Which regions have which frames: frames with the same owners are one group.
//!
//! A set of owners has a number, and adding an owner to a set leads to another number. So a frame
//! costs two words however many have it, and what differs between two frames is told by comparing
//! numbers. Owners are to be counted one after the other, each completely before the next.

use std::collections::HashMap;

use cowslip::vm::{Entry, Frame, Frames, Use};

use super::panel::{Group, Kind};

/// Most groups of a panel.
const GROUPS: usize = 12;

/// What an entry leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Target {
    Frame(Frame),
    Slot(u32),
}

impl Target {
    fn of(entry: Entry) -> Option<Target> {
        entry.mapped().map(Target::Frame).or_else(|| entry.slot().map(Target::Slot))
    }
}

/// A region that is shown, by its number; or all the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Region(usize),
    Hidden,
}

#[derive(Default)]
struct Sets {
    owners: Vec<Vec<Owner>>,
    next: HashMap<(Option<usize>, Owner), usize>,
}

impl Sets {
    /// The set with an owner more. Owners come in order, so only the last one can be there already.
    fn with(&mut self, set: Option<usize>, owner: Owner) -> usize {
        let members = set.and_then(|set| self.owners.get(set)).map_or(&[][..], Vec::as_slice);
        if let Some(set) = set.filter(|_| members.last() == Some(&owner)) {
            return set;
        }
        if let Some(known) = self.next.get(&(set, owner)) {
            return *known;
        }
        let mut members = members.to_vec();
        members.push(owner);
        self.owners.push(members);
        self.next.insert((set, owner), self.owners.len() - 1);
        self.owners.len() - 1
    }
}

struct Seen {
    set: usize,
    mappings: u64,
}

/// The count.
#[derive(Default)]
pub(super) struct Owners {
    sets: Sets,
    seen: HashMap<Target, Seen>,
}

impl Owners {
    /// Counts an entry of a region.
    pub(super) fn count(&mut self, owner: Owner, entry: Entry) {
        let Some(target) = Target::of(entry) else { return };
        let known = self.seen.get(&target).map(|seen| seen.set);
        let set = self.sets.with(known, owner);
        let seen = self.seen.entry(target).or_insert(Seen { set, mappings: 0 });
        seen.set = set;
        seen.mappings += 1;
    }

    /// The groups, when all is counted.
    pub(super) fn group(self, frames: &Frames) -> Groups {
        let mut targets: Vec<(Target, Seen)> = self.seen.into_iter().collect();
        targets.sort_unstable_by_key(|(target, _)| *target);
        let mut groups = Groups {
            all: Vec::new(),
            of: HashMap::with_capacity(targets.len()),
            mapped: 0,
            frames: 0,
        };
        let mut places: HashMap<(Kind, usize), usize> = HashMap::new();
        for (target, seen) in targets {
            let kind = kind(frames, target, seen.mappings);
            if !matches!(kind, Kind::Zero | Kind::Swapped) {
                groups.mapped += seen.mappings;
                groups.frames += 1;
            }
            let place = *places.entry((kind, seen.set)).or_insert_with(|| {
                let owners = self.sets.owners.get(seen.set).map_or(&[][..], Vec::as_slice);
                groups.all.push(Found::new(kind, owners));
                groups.all.len() - 1
            });
            if let Some(group) = groups.all.get_mut(place) {
                group.frames += 1;
                group.fewest = group.fewest.min(seen.mappings);
                group.most = group.most.max(seen.mappings);
            }
            groups.of.insert(target, (kind, place));
        }
        groups.fold();
        groups
    }
}

fn kind(frames: &Frames, target: Target, mappings: u64) -> Kind {
    match target {
        Target::Slot(_) => Kind::Swapped,
        Target::Frame(Frame::ZERO) => Kind::Zero,
        Target::Frame(frame) => match frames.used_for(frame) {
            Use::File => Kind::File,
            Use::Merged => Kind::Merged,
            _ if mappings > 1 => Kind::Shared,
            _ => Kind::Private,
        },
    }
}

/// A group whose owners are still numbers.
struct Found {
    kind: Kind,
    frames: u64,
    fewest: u64,
    most: u64,
    owners: Vec<Owner>,
    folded: usize,
}

impl Found {
    fn new(kind: Kind, owners: &[Owner]) -> Found {
        let owners = owners.to_vec();
        Found { kind, frames: 0, fewest: u64::MAX, most: 0, owners, folded: 1 }
    }

    fn take(&mut self, other: &Found) {
        self.frames += other.frames;
        self.fewest = self.fewest.min(other.fewest);
        self.most = self.most.max(other.most);
        self.folded += other.folded;
        for owner in &other.owners {
            if !self.owners.contains(owner) {
                self.owners.push(*owner);
            }
        }
    }
}

/// All frames, grouped.
pub(super) struct Groups {
    all: Vec<Found>,
    of: HashMap<Target, (Kind, usize)>,
    /// Entries that name frames, and those frames; without the zero frame.
    pub(super) mapped: u64,
    pub(super) frames: u64,
}

impl Groups {
    /// What an entry is, and the group of what it leads to.
    pub(super) fn find(&self, entry: Entry) -> (Kind, Option<usize>) {
        match Target::of(entry).and_then(|target| self.of.get(&target)) {
            Some((kind, group)) => (*kind, Some(*group)),
            None if entry.is_none() => (Kind::Untouched, None),
            None => (Kind::Guard, None),
        }
    }

    /// Takes the smallest groups of each kind together, if there are too many.
    fn fold(&mut self) {
        let mut by_size: Vec<usize> = (0..self.all.len()).collect();
        by_size.sort_by_key(|place| self.all.get(*place).map(|group| u64::MAX - group.frames));
        let mut folded: Vec<Found> = Vec::new();
        let mut moved = vec![0; self.all.len()];
        for (rank, place) in by_size.into_iter().enumerate() {
            let group = &self.all[place];
            let same = folded.iter().position(|other| other.kind == group.kind);
            let to = match same {
                // The last of the kind that was kept takes the rest.
                Some(_) if rank >= GROUPS => {
                    folded.iter().rposition(|other| other.kind == group.kind)
                }
                _ => None,
            };
            moved[place] = match to {
                Some(to) => {
                    folded[to].take(group);
                    to
                }
                None => {
                    let mut kept = Found::new(group.kind, &[]);
                    kept.folded = 0;
                    kept.take(group);
                    folded.push(kept);
                    folded.len() - 1
                }
            };
        }
        for (_, place) in self.of.values_mut() {
            *place = moved[*place];
        }
        self.all = folded;
    }

    /// The groups for a panel; `find` says where an owner's region is shown.
    pub(super) fn shown(&self, find: impl Fn(usize) -> Option<(usize, usize)>) -> Vec<Group> {
        let shown = |group: &Found| Group {
            kind: group.kind,
            frames: group.frames,
            fewest: group.fewest,
            most: group.most,
            owners: group
                .owners
                .iter()
                .filter_map(|owner| match owner {
                    Owner::Region(number) => find(*number),
                    Owner::Hidden => None,
                })
                .collect(),
            hidden: group.owners.contains(&Owner::Hidden),
            folded: group.folded,
        };
        self.all.iter().map(shown).collect()
    }
}
