//! Which block holds what, and who refers to it. Pure: ids and tokens, no tensors.
//!
//! A block is referenced, by one sequence or by several; or cached: nobody refers to it, but it is full and can be found
//! by its content; or free. Cached blocks are taken when none is free, the least recently used first.
//!
//! Full blocks form a trie. A block is found by its parent and its own tokens, both compared whole, so a hit can never be
//! a mistake. Who refers to a block refers to its parents, and lets go of them after it: the least recently used cached
//! block has no children, and taking it leaves none without a parent.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::backend::{BLOCK_TOKENS, BlockId};
use crate::tokenizer::TokenId;

/// Sequences share blocks only with those of the same salt, so that nobody can tell from the time to the first token
/// what others have sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheSalt(pub u64);

impl CacheSalt {
    /// The salt of a tenant.
    pub fn of(tenant: &str) -> CacheSalt {
        let mut hasher = DefaultHasher::new();
        tenant.hash(&mut hasher);
        CacheSalt(hasher.finish())
    }
}

/// All blocks of a backend.
pub(crate) struct BlockManager {
    blocks: Vec<Block>,
    /// The last is taken first: memory that was used before is used again.
    free: Vec<BlockId>,
    /// By the moment at which they were let go of.
    cached: BTreeMap<u64, BlockId>,
    /// The trie.
    nodes: HashMap<Node, BlockId>,
    clock: u64,
}

#[derive(Clone, Default)]
struct Block {
    num_refs: usize,
    /// What it is found by; none while it is not full.
    node: Option<Node>,
    num_children: usize,
    /// Its place among the cached ones.
    released_at: u64,
}

/// A full block's content, all before it included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    parent: Parent,
    token_ids: [TokenId; BLOCK_TOKENS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Parent {
    Root(CacheSalt),
    Block(BlockId),
}

/// A sequence's blocks. To be given back by [`BlockManager::release`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockTable {
    pub(crate) blocks: Vec<BlockId>,
    salt: CacheSalt,
    /// So many blocks at the front are full and in the trie; the sequence writes to none of them.
    num_full: usize,
}

/// What the trie has of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    pub(crate) num_blocks: usize,
    /// Those of them that others refer to: they cost no room.
    pub(crate) num_referenced: usize,
}

impl BlockTable {
    pub(crate) fn new(salt: CacheSalt) -> Self {
        BlockTable { salt, ..BlockTable::default() }
    }

    /// Tokens whose keys and values are known to be there.
    pub(crate) fn num_full_tokens(&self) -> usize {
        self.num_full * BLOCK_TOKENS
    }

    /// What the sequence's next full block is going to hold, when `token_ids`, from its beginning on, reach that far.
    pub(crate) fn next_node(&self, token_ids: &[TokenId]) -> Option<Node> {
        let parent = self.blocks[..self.num_full].last().map_or(Parent::Root(self.salt), |block| Parent::Block(*block));
        let token_ids = *token_ids[self.num_full_tokens()..].first_chunk()?;
        Some(Node { parent, token_ids })
    }
}

impl BlockManager {
    pub(crate) fn new(num_blocks: usize) -> Self {
        BlockManager {
            blocks: vec![Block::default(); num_blocks],
            free: (0..num_blocks as u32).rev().map(BlockId).collect(),
            cached: BTreeMap::new(),
            nodes: HashMap::new(),
            clock: 0,
        }
    }

    pub(crate) fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn num_cached(&self) -> usize {
        self.cached.len()
    }

    /// Blocks that can be had at once.
    pub(crate) fn num_available(&self) -> usize {
        self.free.len() + self.cached.len()
    }

    pub(crate) fn num_referenced(&self) -> usize {
        self.num_blocks() - self.num_available()
    }

    /// Looks up what `token_ids` begin with, and changes nothing.
    pub(crate) fn find(&self, salt: CacheSalt, token_ids: &[TokenId]) -> Hits {
        let mut hits = Hits::default();
        let mut parent = Parent::Root(salt);
        for token_ids in shareable(token_ids).as_chunks().0 {
            let Some(block) = self.nodes.get(&Node { parent, token_ids: *token_ids }) else { break };
            parent = Parent::Block(*block);
            hits.num_blocks += 1;
            hits.num_referenced += usize::from(self.blocks[block.0 as usize].num_refs > 0);
        }
        hits
    }

    /// Extends the table's full blocks by those that hold what `token_ids`, from the sequence's beginning on, go on with.
    /// Blocks of its own in their place are let go of. The last token is left to be computed.
    pub(crate) fn reuse(&mut self, table: &mut BlockTable, token_ids: &[TokenId]) {
        while let Some(block) = table.next_node(shareable(token_ids)).and_then(|node| self.nodes.get(&node).copied()) {
            self.refer(block);
            match table.blocks.get_mut(table.num_full) {
                Some(own) => {
                    let own = std::mem::replace(own, block);
                    self.unrefer(own);
                }
                None => table.blocks.push(block),
            }
            table.num_full += 1;
        }
    }

    /// Lengthens a table to `num_blocks`, or leaves it when there are not enough; says which.
    pub(crate) fn grow(&mut self, table: &mut BlockTable, num_blocks: usize) -> bool {
        let missing = num_blocks.saturating_sub(table.blocks.len());
        if missing > self.num_available() {
            return false;
        }
        for _ in 0..missing {
            let Some(block) = self.free.pop().or_else(|| self.evict()) else { return false };
            self.blocks[block.0 as usize].num_refs = 1;
            table.blocks.push(block);
        }
        true
    }

    /// Makes known which blocks are full: `computed` are the sequence's tokens whose keys and values are there. Where the
    /// trie has the same content already, the table takes that block and lets go of its own.
    pub(crate) fn register(&mut self, table: &mut BlockTable, computed: &[TokenId]) {
        while let Some(node) = table.next_node(computed) {
            let own = table.blocks[table.num_full];
            match self.nodes.get(&node).copied() {
                Some(block) => {
                    self.refer(block);
                    self.unrefer(own);
                    table.blocks[table.num_full] = block;
                }
                None => {
                    if let Parent::Block(parent) = node.parent {
                        self.blocks[parent.0 as usize].num_children += 1;
                    }
                    self.blocks[own.0 as usize].node = Some(node);
                    self.nodes.insert(node, own);
                }
            }
            table.num_full += 1;
        }
    }

    /// Lets go of a table's blocks, and leaves it empty.
    pub(crate) fn release(&mut self, table: &mut BlockTable) {
        table.num_full = 0;
        // From the end, so that a prefix is kept for longer than what follows it.
        while let Some(block) = table.blocks.pop() {
            self.unrefer(block);
        }
    }

    fn refer(&mut self, id: BlockId) {
        let block = &mut self.blocks[id.0 as usize];
        if block.num_refs == 0 {
            self.cached.remove(&block.released_at);
        }
        block.num_refs += 1;
    }

    fn unrefer(&mut self, id: BlockId) {
        let block = &mut self.blocks[id.0 as usize];
        block.num_refs -= 1;
        if block.num_refs > 0 {
            return;
        }
        match block.node {
            Some(_) => {
                block.released_at = self.clock;
                self.cached.insert(self.clock, id);
                self.clock += 1;
            }
            None => self.free.push(id),
        }
    }

    fn evict(&mut self) -> Option<BlockId> {
        let (_, id) = self.cached.pop_first()?;
        let block = &mut self.blocks[id.0 as usize];
        // Its children would be found as those of whatever it holds next.
        assert_eq!(block.num_children, 0, "a block is taken before its children");
        if let Some(node) = block.node.take() {
            self.nodes.remove(&node);
            if let Parent::Block(parent) = node.parent {
                self.blocks[parent.0 as usize].num_children -= 1;
            }
        }
        Some(id)
    }
}

/// The last token is always computed: its logits are wanted.
fn shareable(token_ids: &[TokenId]) -> &[TokenId] {
    &token_ids[..token_ids.len().saturating_sub(1)]
}

#[cfg(test)]
impl BlockManager {
    /// Every block is free, cached or referenced by exactly those tables that name it, and the trie is whole.
    pub(crate) fn check_integrity<'a>(&self, tables: impl Iterator<Item = &'a BlockTable>) {
        let mut num_refs = vec![0; self.num_blocks()];
        for table in tables {
            for (index, id) in table.blocks.iter().enumerate() {
                num_refs[id.0 as usize] += 1;
                let block = &self.blocks[id.0 as usize];
                assert_eq!(block.node.is_some(), index < table.num_full, "full blocks are in the trie, others are not");
                assert!(index < table.num_full || block.num_refs == 1, "a block that is written to has one owner");
            }
        }
        let mut num_children = vec![0; self.num_blocks()];
        for (node, id) in &self.nodes {
            assert_eq!(self.blocks[id.0 as usize].node.as_ref(), Some(node));
            if let Parent::Block(parent) = node.parent {
                assert!(self.blocks[parent.0 as usize].node.is_some(), "a parent is in the trie");
                num_children[parent.0 as usize] += 1;
            }
        }
        for (index, block) in self.blocks.iter().enumerate() {
            assert_eq!((block.num_refs, block.num_children), (num_refs[index], num_children[index]), "block {index}");
        }
        let num_nodes = self.blocks.iter().filter(|block| block.node.is_some()).count();
        assert_eq!(num_nodes, self.nodes.len());
        for id in &self.free {
            assert!(self.blocks[id.0 as usize].num_refs == 0 && self.blocks[id.0 as usize].node.is_none());
        }
        for (moment, id) in &self.cached {
            let block = &self.blocks[id.0 as usize];
            assert!(block.num_refs == 0 && block.node.is_some() && block.released_at == *moment);
        }
        let referenced = num_refs.iter().filter(|refs| **refs > 0).count();
        assert_eq!(self.free.len() + self.cached.len() + referenced, self.num_blocks(), "blocks leak");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(range: std::ops::Range<u32>) -> Vec<TokenId> {
        range.map(TokenId).collect()
    }

    /// A table whose blocks hold `token_ids`, cached ones included.
    #[track_caller]
    fn computed(manager: &mut BlockManager, salt: u64, token_ids: &[TokenId]) -> BlockTable {
        let mut table = BlockTable::new(CacheSalt(salt));
        manager.reuse(&mut table, token_ids);
        assert!(manager.grow(&mut table, token_ids.len().div_ceil(BLOCK_TOKENS)));
        manager.register(&mut table, token_ids);
        table
    }

    #[track_caller]
    fn check_hits(manager: &BlockManager, salt: u64, token_ids: &[TokenId], num_blocks: usize, num_referenced: usize) {
        assert_eq!(manager.find(CacheSalt(salt), token_ids), Hits { num_blocks, num_referenced });
    }

    #[test]
    fn what_was_computed_is_found_again_block_by_block_without_the_last_token() {
        let mut manager = BlockManager::new(8);
        let mut table = computed(&mut manager, 0, &tokens(0..40));
        check_hits(&manager, 0, &tokens(0..40), 2, 2);
        manager.release(&mut table);
        check_hits(&manager, 0, &tokens(0..40), 2, 0);
        check_hits(&manager, 0, &tokens(0..33), 2, 0);
        check_hits(&manager, 0, &tokens(0..32), 1, 0);
        check_hits(&manager, 0, &tokens(0..16), 0, 0);
        check_hits(&manager, 0, &tokens(1..40), 0, 0);
        check_hits(&manager, 0, &[tokens(0..16), tokens(0..30)].concat(), 1, 0);
        manager.check_integrity([].into_iter());
    }

    #[test]
    fn the_same_tokens_after_others_are_another_block() {
        let mut manager = BlockManager::new(8);
        let mut table = computed(&mut manager, 0, &tokens(0..32));
        let mut other = computed(&mut manager, 0, &[tokens(50..66), tokens(16..32)].concat());
        assert_ne!(table.blocks[1], other.blocks[1]);
        manager.check_integrity([&table, &other].into_iter());
        manager.release(&mut table);
        manager.check_integrity([&other].into_iter());
        manager.release(&mut other);
        check_hits(&manager, 0, &tokens(0..40), 2, 0);
    }

    #[test]
    fn tenants_share_nothing() {
        let mut manager = BlockManager::new(8);
        let table = computed(&mut manager, 1, &tokens(0..40));
        check_hits(&manager, 1, &tokens(0..40), 2, 2);
        check_hits(&manager, 2, &tokens(0..40), 0, 0);
        let other = computed(&mut manager, 2, &tokens(0..40));
        assert!(table.blocks.iter().all(|block| !other.blocks.contains(block)));
        manager.check_integrity([&table, &other].into_iter());
    }

    #[test]
    fn what_two_have_computed_at_once_is_kept_once() {
        let mut manager = BlockManager::new(8);
        let (mut first, mut second) = (BlockTable::default(), BlockTable::default());
        assert!(manager.grow(&mut first, 3) && manager.grow(&mut second, 3));
        manager.register(&mut first, &tokens(0..32));
        manager.register(&mut second, &tokens(0..35));
        assert_eq!(first.blocks[..2], second.blocks[..2]);
        assert_ne!(first.blocks[2], second.blocks[2]);
        assert_eq!(manager.num_referenced(), 4);
        manager.check_integrity([&first, &second].into_iter());
    }

    #[test]
    fn whoever_lags_behind_takes_over_what_another_has_computed() {
        let mut manager = BlockManager::new(8);
        let first = computed(&mut manager, 0, &tokens(0..48));
        let mut second = BlockTable::default();
        // It has begun with a block of its own.
        assert!(manager.grow(&mut second, 1));
        manager.reuse(&mut second, &tokens(0..48));
        assert_eq!(second.num_full_tokens(), 32);
        assert_eq!(first.blocks[..2], second.blocks);
        manager.check_integrity([&first, &second].into_iter());
    }

    #[test]
    fn the_least_recently_used_goes_first_and_a_prefix_after_what_follows_it() {
        let mut manager = BlockManager::new(5);
        let mut old = computed(&mut manager, 0, &tokens(0..32));
        let mut young = computed(&mut manager, 0, &tokens(100..132));
        manager.release(&mut old);
        manager.release(&mut young);
        assert_eq!((manager.num_cached(), manager.num_available()), (4, 5));
        // Use makes young again.
        manager.reuse(&mut old, &tokens(0..33));
        manager.release(&mut old);
        let mut table = BlockTable::default();
        assert!(manager.grow(&mut table, 2));
        check_hits(&manager, 0, &tokens(100..140), 1, 0);
        assert!(manager.grow(&mut table, 3));
        check_hits(&manager, 0, &tokens(100..140), 0, 0);
        check_hits(&manager, 0, &tokens(0..40), 2, 0);
        manager.check_integrity([&table].into_iter());
    }

    #[test]
    fn a_table_grows_whole_or_not_at_all() {
        let mut manager = BlockManager::new(3);
        let (mut first, mut second) = (BlockTable::default(), BlockTable::default());
        assert!(manager.grow(&mut first, 2));
        assert!(!manager.grow(&mut second, 2));
        assert_eq!((second.blocks.len(), manager.num_available()), (0, 1));
        assert!(manager.grow(&mut first, 1), "it has them already");
        manager.release(&mut first);
        assert_eq!(manager.num_available(), 3);
    }
}
