package examples

import "embed"

// Files holds each machine's folder: NAME/NAME.toml and the compiled program beside it, as `fatty devnet` takes them.
//
//go:embed lcg/lcg.toml lcg/lcg.json counter/counter.toml counter/counter.json
var Files embed.FS
