//! Writes that were torn: some sectors of them are there, some are not, some hold garbage.

use cowslip_pager::storage::simulated::{Sector, Survive};

use super::{Explorer, Fate, Images, Point, Verdict};
use crate::engine::Engine;

/// What stands where a torn write did not arrive.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    Old,
    Zero,
    Garbage,
}

/// Which sectors of a torn write arrived, counted from its own first, of so many.
type Pattern = Box<dyn Fn(u64, u64) -> bool>;

fn patterns(sectors: u64) -> Vec<Pattern> {
    if sectors <= 8 {
        // Every way; all and none are not tears.
        let ways = 1..(1u64 << sectors) - 1;
        return ways.map(|bits| Box::new(move |n: u64, _| bits >> n & 1 == 1) as Pattern).collect();
    }
    let mut patterns: Vec<Pattern> = vec![Box::new(|n, _| n % 2 == 0), Box::new(|n, _| n % 2 == 1)];
    for k in [1, 7, 8, 64] {
        patterns.push(Box::new(move |n, _| n < k));
        patterns.push(Box::new(move |n, of| n >= of - k.min(of)));
        patterns.push(Box::new(move |n, _| n != k));
        patterns.push(Box::new(move |n, _| n == k));
    }
    patterns
}

impl<E: Engine> Explorer<'_, E> {
    /// Every pending write torn, the others all there or all missing; and random sectors of all.
    pub(super) fn torn(&mut self, point: &Point<'_>) -> Verdict {
        let pending = point.cut.pending();
        let garbage = self.options.garbage
            && (point.window.created || self.engine.survives_garbage_at_creation());
        let sector = self.options.sector as u64;
        if self.options.tears {
            // The newest is the one that may be under way; older ones were torn when they were new,
            // unless a sync has begun since, which may tear any of them.
            let first = pending.saturating_sub(self.options.exhaustive);
            for torn in first..pending {
                let range = point.cut.write(torn).0;
                let sectors = range.end.div_ceil(sector) - range.start / sector;
                if sectors < 2 {
                    continue;
                }
                let newest = torn + 1 == pending;
                let patterns = patterns(sectors);
                // Of an older one, a few ways are enough.
                let step = if newest { 1 } else { patterns.len().div_ceil(6) };
                let offset = self.rng.usize(..step);
                for pattern in patterns.iter().skip(offset).step_by(step) {
                    for fill in [Fill::Old, Fill::Zero, Fill::Garbage] {
                        if fill == Fill::Old || garbage {
                            self.tear(point, torn, pattern, fill, true)?;
                            if !newest {
                                self.tear(point, torn, pattern, fill, false)?;
                            }
                        }
                    }
                }
            }
        }
        for _ in 0..self.options.samples {
            self.shaken(point, garbage)?;
        }
        Ok(())
    }

    fn tear(
        &mut self,
        point: &Point<'_>,
        torn: usize,
        pattern: &Pattern,
        fill: Fill,
        others: bool,
    ) -> Verdict {
        let size = self.options.sector as u64;
        let range = point.cut.write(torn).0;
        let (first, count) = (range.start / size, range.end.div_ceil(size) - range.start / size);
        let seed = self.rng.u64(..);
        let choice = |sector: Sector<'_>| -> Survive {
            let survives = |write: usize| match write == torn {
                true => pattern(sector.number() - first, count),
                false => others,
            };
            if sector.writes().any(|write| write == torn) && !survives(torn) {
                match fill {
                    Fill::Zero => return Survive::Zero,
                    Fill::Garbage => return Survive::Garbage(seed ^ sector.number()),
                    Fill::Old => {}
                }
            }
            let newest = sector.writes().rposition(survives);
            newest.map_or(Survive::Old, Survive::Version)
        };
        let fate = |write| match (write == torn, others) {
            (true, _) => Fate::Torn,
            (_, true) => Fate::Survived,
            (_, false) => Fate::Lost,
        };
        for length in point.cut.lengths() {
            let image = point.cut.image_with(length, &mut |sector| choice(sector));
            let images = Images {
                length,
                fates: &|| {
                    let writes = 0..point.cut.pending();
                    writes.map(|write| (point.cut.write(write).1, fate(write))).collect()
                },
                make: &|| image.clone(),
                count: 1,
                whole: false,
            };
            self.single(point, &images, &image)?;
        }
        Ok(())
    }

    /// Each sector at random.
    fn shaken(&mut self, point: &Point<'_>, garbage: bool) -> Verdict {
        let lengths = point.cut.lengths();
        let length = lengths[self.rng.usize(..lengths.len())];
        let rng = &mut self.rng;
        let garbage = garbage && rng.bool();
        let image = point.cut.image_with(length, &mut |sector| {
            let versions = sector.writes().len();
            match rng.usize(..=versions + usize::from(garbage)) {
                0 => Survive::Old,
                n if n <= versions => Survive::Version(n - 1),
                _ => Survive::Garbage(rng.u64(..)),
            }
        });
        let images = Images {
            length,
            fates: &|| {
                (0..point.cut.pending()).map(|w| (point.cut.write(w).1, Fate::Torn)).collect()
            },
            make: &|| image.clone(),
            count: 1,
            whole: false,
        };
        self.single(point, &images, &image)
    }
}
