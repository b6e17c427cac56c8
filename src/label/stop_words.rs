//! English words that carry little meaning.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that begin or end no phrase: the list of NLTK and more of their kind. What a tokenizer that
/// splits contractions leaves of them ("won" of "won't") is left out, since they stay whole here.
static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let listed = ::stop_words::lookup("en").unwrap_or_default();
    let is_rest = |word: &str| listed.contains(&&*format!("{word}'t"));
    let whole = listed.iter().copied().filter(|word| !is_rest(word));
    let all = whole.chain(MORE_STOP_WORDS.split(' '));
    all.filter(|word| !is_weak_word(word)).collect()
});

/// Function words that the list lacks, spellings without an apostrophe, and remains of markup.
const MORE_STOP_WORDS: &str = "\
    al also amp could eg either else et even ever every get gets got gt ie im ive least less like \
    lt might much must neither none oh one others per quite quot rather since that's thats there's \
    though thus toward towards u upon ur us use used using via what's whether whose within would \
    yet youre";

/// Words that may begin a phrase, but neither end one nor stand alone: "new" of "new york", "not"
/// of "not work".
static WEAK_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| WEAK.split(' ').collect());

/// A list of our own: the long public ones hold words that labels need (ISO's has "computer",
/// "system" and "world") and lack what abstracts and reviews are full of whatever they are about.
const WEAK: &str = "\
    able according achieve achieved achieves achieving across actually additionally address \
    addresses adopt allow allowing allows almost along already although always among amount \
    another anyone anything apply approach approaches around ask asked aspect aspects available \
    away back based basically became become becomes begin behind big bit bring brought call called \
    came can't cannot cant capable case cases certain certainly clearly come comes coming common \
    commonly compare compared completely comprehensive consider considered consistently contain \
    contains couldn't couple crucial current currently deal definitely demonstrate demonstrated \
    demonstrates demonstrating describe described despite develop developed didn't didnt different \
    difficult directly doesn't doesnt don't done dont due early easily effective effectively \
    efficient eight employ enable enables enabling end enhance enhanced enough ensure entire \
    entirely especially establish etc evaluate evaluated everyone everything exactly examples \
    exist existing explore extensive fact fairly far feel feels felt finally find finding findings \
    finds first five focus follow following found four framework full fully furthermore gave \
    general generally give given gives go goes going gone gonna hadn't half happen happened hence \
    highly however idea identify important improve improved improvement improvements improves \
    include includes including indeed individual instead interesting introduce introduced \
    introduces introducing investigate isn't keep kept key kind knew know known large largely last \
    lastly later latter lead leading leads leave left let lets leverage leverages leveraging \
    likely limited little long look looked looking looks lot lots made main mainly major make \
    makes making many matter may maybe mean means method methods moreover move multiple need \
    needed needs never nevertheless new next nine no not notably nothing novel number numerous \
    obtain obtained obviously often ok okay order original outperform outperforms overall paper \
    papers part particular particularly past perform performance performs perhaps place plus point \
    possible potential present presented presents pretty previous previously primarily prior \
    probably propose proposed proposes proposing provide provided provides providing put range \
    ranging really reason recent recently reduce regarding related relative relatively remain \
    remains report require required requires respectively result resulting results reveal reveals \
    right run said saw say saying says second seem seemed seems seen set seven several shouldn't \
    show showed showing shown shows significant significantly similar simple simply single six \
    small someone something sometimes soon sort specific specifically start started \
    state-of-the-art still strong studies study stuff substantial substantially successfully \
    suggest support sure take taken takes taking tell ten term terms thereby therefore thing \
    things think thought three times together told took total totally tried truly try trying turn \
    two type types typically understand understanding unique useful uses usually utilize utilizing \
    validate variety various vs want wanted wants wasn't way ways well went whereas whole wide \
    widely without won't wont worked working worth wouldn't yes";

/// Words that join others to one phrase.
const LINKS: [&str; 11] = [
    "a", "an", "at", "by", "for", "from", "in", "of", "on", "the", "to",
];

/// True for a word that begins or ends no phrase.
pub(super) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(word)
}

/// True for a word that joins others to one phrase.
pub(super) fn is_link(word: &str) -> bool {
    LINKS.contains(&word)
}

/// True for a word that says nothing alone or last.
pub(super) fn is_weak_word(word: &str) -> bool {
    WEAK_WORDS.contains(word)
}
