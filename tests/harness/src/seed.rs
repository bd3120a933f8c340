//! The seed of everything random, so that a failure can be repeated.

use fastrand::Rng;

/// A seed that is printed if the test fails: `COWSLIP_SEED` from the environment, or a random one.
#[derive(Debug)]
pub struct Seed {
    value: u64,
}

impl Seed {
    /// The seed of this run.
    pub fn get() -> Seed {
        let given = std::env::var("COWSLIP_SEED").ok().and_then(|text| text.parse().ok());
        Seed { value: given.unwrap_or_else(|| fastrand::u64(..)) }
    }

    /// One that a failure has printed: the history that showed it is kept as a test.
    pub fn fixed(value: u64) -> Seed {
        Seed { value }
    }

    /// Its number.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// A generator of its own for each `purpose`.
    pub fn rng(&self, purpose: u64) -> Rng {
        Rng::with_seed(self.value.wrapping_add(purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat: COWSLIP_SEED={}", self.value);
        }
    }
}

/// How much work tests should do: `COWSLIP_EFFORT` from the environment, as a factor (1).
pub fn effort() -> f64 {
    let given = std::env::var("COWSLIP_EFFORT").ok().and_then(|text| text.parse().ok());
    given.filter(|effort: &f64| *effort > 0.0).unwrap_or(1.0)
}

/// `count` repetitions, scaled by the [`effort`]; at least one.
pub fn times(count: u64) -> u64 {
    ((count as f64 * effort()).round() as u64).max(1)
}
