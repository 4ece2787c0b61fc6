//! The one loop that drives engines, clock, transports and stores; and what reads journals back.
//!
//! | file | what is in it |
//! |---|---|
//! | `driver` | [`Runtime`]: wait for something, fold it, make it durable, do what follows |
//! | `write`, `settle` | what was folded becomes durable, then what follows is done |
//! | `figures` | what a runtime can be asked |
//! | `stream` | one stream: its engine and what is not durable yet |
//! | `recovery` | from a journal back to running streams |
//! | `crews` | [`Crews`]: who does the runs |
//! | `clock`, `stop`, `options` | time, drain and abort, settings |
//! | `intake` | what was delivered goes to the engines, or is refused |
//! | `ingress`, `rates`, `audit` | what may come in, how much of it, who was refused |
//! | `redact` | what must not be written down |
//! | `outgoing` | what goes out |
//! | `replay`, `attempts` | folding a journal again: `verify`; what runs were given, to run them again |
//! | `explain`, `history`, `difference` | why a crew ran, who wrote a key, where two journals part |
//! | `story`, `timeline` | the life of a run; everything that ran in a stream |

mod attempts;
mod audit;
mod clock;
mod crews;
mod difference;
mod driver;
mod error;
mod explain;
mod figures;
mod history;
mod ingress;
mod intake;
mod options;
mod outgoing;
mod rates;
mod recovery;
mod redact;
mod replay;
mod settle;
mod stop;
mod story;
mod stream;
mod timeline;
mod write;

pub use attempts::{Attempt, attempts};
pub use clock::{Clock, SystemClock};
pub use crews::{Back, Crews, Inline, Started};
pub use difference::{Difference, first_difference};
pub use driver::{Ending, Runtime};
pub use error::RuntimeError;
pub use explain::{Explanation, explain};
pub use history::{Write, blame, context_at, digests};
pub use ingress::Acceptance;
pub use options::Options;
pub use rates::{Rate, Rates, SourceAllowance};
pub(crate) use redact::redacted;
pub use replay::{Diverged, Verdict, verify};
pub use stop::{Stop, StopSwitch};
pub use story::Story;
pub use timeline::{Chapter, timeline};
