//! Values that are read from what people and shops write.

pub mod one_word;
