-- What a translation depends on besides the text. The newest row is the one in force.
CREATE TABLE IF NOT EXISTS config (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    digest TEXT NOT NULL,
    precision TEXT NOT NULL,
    options TEXT NOT NULL,
    version TEXT NOT NULL
);

-- A file of the input. `layout` is how it was read and what was written of it.
CREATE TABLE IF NOT EXISTS source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    layout TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'written', 'unusable')),
    run INTEGER NOT NULL
);

-- An article where it stands. Several may have the same text.
CREATE TABLE IF NOT EXISTS article (
    source INTEGER NOT NULL REFERENCES source (id),
    position INTEGER NOT NULL,
    locator TEXT NOT NULL,
    hash BLOB NOT NULL,
    encoding TEXT,
    PRIMARY KEY (source, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS article_by_hash ON article (hash);

-- A text and its translation. `run` is the run that took a pending one up, so that one run does it once.
CREATE TABLE IF NOT EXISTS translation (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    run INTEGER NOT NULL,
    config INTEGER REFERENCES config (id),
    attempts INTEGER NOT NULL DEFAULT 0,
    sentences INTEGER NOT NULL DEFAULT 0,
    flagged INTEGER NOT NULL DEFAULT 0,
    flags TEXT NOT NULL DEFAULT '{}',
    source_tokens INTEGER NOT NULL DEFAULT 0,
    target_tokens INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    error TEXT,
    result TEXT
);
CREATE INDEX IF NOT EXISTS translation_failed ON translation (state) WHERE state = 'failed';

-- What can't be used of an input, found while reading it.
CREATE TABLE IF NOT EXISTS problem (
    source INTEGER REFERENCES source (id),
    locator TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS problem_by_source ON problem (source);
