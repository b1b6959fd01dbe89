//! What people read: the whole exchange.

use super::clones::Clones;
