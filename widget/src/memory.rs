//! The module's memory: blocks of powers of two, each kept for the next one who needs its size.
//!
//! Rust's own allocator for wasm would be a sixth of what is sent to the browser. The widget holds
//! little memory and gives back nearly all of it after each call, so a dozen lines do. Wasm memory
//! starts zeroed, is never given back, and there is one thread.
#![allow(unsafe_code, reason = "an allocator hands out memory: there is no safe way to be one")]
#![allow(clippy::cast_ptr_alignment, reason = "every block is aligned to `LEAST`")]

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::Cell;
use std::ptr;

const PAGE: usize = 65_536;
/// Room for a block's link, and the alignment that anything here needs at most.
const LEAST: usize = 16;
const SIZES: usize = 28;

struct Blocks {
    /// By size, the first free block; each free block begins with the address of the next.
    free: [Cell<*mut u8>; SIZES],
    /// What was never handed out.
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: the module is built without threads.
unsafe impl Sync for Blocks {}

#[global_allocator]
static BLOCKS: Blocks = Blocks {
    free: [const { Cell::new(ptr::null_mut()) }; SIZES],
    next: Cell::new(0),
    end: Cell::new(0),
};

/// Which size of block a request gets, and that size.
fn block(layout: Layout) -> (usize, usize) {
    let size = layout.size().max(layout.align()).max(LEAST).next_power_of_two();
    (size.trailing_zeros() as usize, size)
}

impl Blocks {
    /// Fresh memory, or null where the browser gives none.
    fn fresh(&self, size: usize) -> *mut u8 {
        if self.next.get() + size > self.end.get() {
            let pages = size.div_ceil(PAGE);
            if memory_grow(0, pages) == usize::MAX {
                return ptr::null_mut();
            }
            let end = memory_size(0) * PAGE;
            // Whole pages: what was left of the one before may not border on them.
            self.next.set(end - pages * PAGE);
            self.end.set(end);
        }
        let at = self.next.get();
        self.next.set(at + size);
        ptr::with_exposed_provenance_mut(at)
    }
}

// SAFETY: a block is handed out once until it comes back: it is taken off its list, or was never on
// one. Blocks are as large as asked for, and aligned: within a page, a block of 2^n bytes may begin at
// any multiple of `LEAST`, and nothing in the module is aligned to more.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (index, size) = block(layout);
        let Some(free) = self.free.get(index) else { return ptr::null_mut() };
        let first = free.get();
        if layout.align() > LEAST {
            return ptr::null_mut();
        }
        if first.is_null() {
            return self.fresh(size);
        }
        // SAFETY: `dealloc` wrote the link into this block, which nobody has used since.
        free.set(unsafe { first.cast::<*mut u8>().read() });
        first
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if let Some(free) = self.free.get(block(layout).0) {
            // SAFETY: the caller gives the block back, and it has room for a link.
            unsafe { place.cast::<*mut u8>().write(free.get()) };
            free.set(place);
        }
    }
}
