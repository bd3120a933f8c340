//! Every subset of the pending writes, decided only where recovery looks.

use cowslip_pager::storage::simulated::Image;

use super::{
    Explorer, Fate, Images, Point, Verdict,
    trie::{Found, Slot},
};
use crate::engine::Engine;

/// Which pending writes survive, as far as that is decided.
type Decided = Vec<Option<bool>>;

impl<E: Engine> Explorer<'_, E> {
    /// All classes of images that this point can leave with this length.
    pub(super) fn all_classes(&mut self, point: &Point<'_>, length: u64) -> Verdict {
        let mut decided = vec![None; point.cut.pending()];
        let mut budget = self.options.classes_per_cut;
        let root = Slot::Root { length };
        self.below(point, length, root, &mut decided, &mut Vec::new(), &mut budget)?;
        if budget == 0 {
            self.report.sampled_cuts += 1;
            self.some_subsets(point, length)?;
        }
        Ok(())
    }

    fn below(
        &mut self,
        point: &Point<'_>,
        length: u64,
        slot: Slot,
        decided: &mut Decided,
        asked: &mut Vec<usize>,
        budget: &mut usize,
    ) -> Verdict {
        if *budget == 0 {
            return Ok(());
        }
        let newest = point.cut.lengths().last() == Some(&length);
        match self.trie.at(slot) {
            Found::Nothing => {
                let survives = |write: usize| decided[write].unwrap_or(false);
                let images = Images {
                    length,
                    fates: &|| fates(point, survives),
                    make: &|| image(point, length, survives),
                    count: 0,
                    whole: false,
                };
                self.recover(point, &images, slot, asked)?;
                self.below(point, length, slot, decided, asked, budget)
            }
            Found::Leaf(leaf) => {
                *budget -= 1;
                let open = decided.iter().filter(|write| write.is_none()).count();
                let survives = |write: usize| decided[write].unwrap_or(true);
                let images = Images {
                    length,
                    fates: &|| fates(point, survives),
                    make: &|| image(point, length, survives),
                    count: 1 << open,
                    whole: newest && (0..decided.len()).all(survives),
                };
                self.legal(point, &images, leaf)
            }
            Found::Ask { node, block } => {
                asked.push(block);
                let touching: Vec<usize> = point.cut.writes_to(block).collect();
                let open: Vec<usize> =
                    touching.iter().copied().filter(|&write| decided[write].is_none()).collect();
                let covers = |write: usize| {
                    let range = point.cut.write(write).0;
                    range.start <= block as u64 * 4096 && range.end >= (block as u64 + 1) * 4096
                };
                if open.len() > 1 && touching.iter().all(|&write| covers(write)) {
                    // Only the newest survivor shows: of older ones nothing need be decided.
                    let shown = touching.iter().copied().rfind(|&w| decided[w] == Some(true));
                    let rivals: Vec<usize> =
                        open.iter().copied().filter(|&w| shown.is_none_or(|s| w > s)).collect();
                    for newest in (0..=rivals.len()).rev() {
                        for (i, &write) in rivals.iter().enumerate() {
                            decided[write] = match (i + 1).cmp(&newest) {
                                std::cmp::Ordering::Less => None,
                                std::cmp::Ordering::Equal => Some(true),
                                std::cmp::Ordering::Greater => Some(false),
                            };
                        }
                        self.step(point, length, node, block, decided, asked, budget)?;
                    }
                    rivals.iter().for_each(|&write| decided[write] = None);
                } else {
                    for bits in (0..1u64 << open.len()).rev() {
                        for (i, &write) in open.iter().enumerate() {
                            decided[write] = Some(bits >> i & 1 == 1);
                        }
                        self.step(point, length, node, block, decided, asked, budget)?;
                    }
                    open.iter().for_each(|&write| decided[write] = None);
                }
                asked.pop();
                Ok(())
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a recursion")]
    fn step(
        &mut self,
        point: &Point<'_>,
        length: u64,
        parent: usize,
        block: usize,
        decided: &mut Decided,
        asked: &mut Vec<usize>,
        budget: &mut usize,
    ) -> Verdict {
        let survives = |write: usize| decided[write].unwrap_or(false);
        let content = point.cut.block(block, length, survives).map_or(0, |block| block.hash());
        let slot = Slot::Child { parent, content };
        self.below(point, length, slot, decided, asked, budget)
    }

    /// Where there are too many: everything, nothing, all but one, all but two, only one, every
    /// prefix, and random subsets.
    pub(super) fn some_subsets(&mut self, point: &Point<'_>, length: u64) -> Verdict {
        let count = point.cut.pending();
        let subset = |explorer: &mut Self, survivors: &[bool]| -> Verdict {
            let survives = |write: usize| survivors[write];
            let made = image(point, length, survives);
            let newest = point.cut.lengths().last() == Some(&length);
            let images = Images {
                length,
                fates: &|| fates(point, survives),
                make: &|| made.clone(),
                count: 1,
                whole: newest && survivors.iter().all(|&survives| survives),
            };
            explorer.single(point, &images, &made)
        };
        subset(self, &vec![true; count])?;
        subset(self, &vec![false; count])?;
        // Pairs of all writes would be too many where there are hundreds.
        let near = 24;
        for one in 0..count {
            let mut survivors = vec![true; count];
            survivors[one] = false;
            subset(self, &survivors)?;
            if one + near >= count {
                for two in one + 1..count {
                    survivors[two] = false;
                    subset(self, &survivors)?;
                    survivors[two] = true;
                }
            }
            let mut survivors = vec![false; count];
            survivors[one] = true;
            subset(self, &survivors)?;
            survivors[..one].fill(true);
            subset(self, &survivors)?;
        }
        for _ in 0..self.options.samples {
            let survivors: Vec<bool> = (0..count).map(|_| self.rng.bool()).collect();
            subset(self, &survivors)?;
        }
        Ok(())
    }
}

/// The image left if of the pending writes exactly those survive that `survives` names.
fn image(point: &Point<'_>, length: u64, survives: impl Fn(usize) -> bool) -> Image {
    let mut image = point.cut.durable(length);
    for &block in &point.touched {
        if let Some(content) = point.cut.block(block, length, &survives) {
            image.set_block(block, content);
        }
    }
    image
}

fn fates(point: &Point<'_>, survives: impl Fn(usize) -> bool) -> Vec<(usize, Fate)> {
    let fate = |write| if survives(write) { Fate::Survived } else { Fate::Lost };
    (0..point.cut.pending()).map(|write| (point.cut.write(write).1, fate(write))).collect()
}
