#!/usr/bin/env bash
# Makes the homes of a four-node cell on this host: DIR/v1 .. DIR/v4, each with its keys, the config.toml from beside this
# script, and one genesis.json; and DIR/client, whose key is an account that may let others in. Nothing that is there is
# changed, so a second run does no harm.
#
#   configs/cell/make.sh DIR [CHAIN]
#
# It uses fatty and fattyd from PATH, or what $FATTY and $FATTYD name.
set -euo pipefail

dir=${1:?usage: make.sh DIR [CHAIN]}
chain=${2:-cell}
here=$(cd "$(dirname "$0")" && pwd)
fatty=${FATTY:-fatty}
fattyd=${FATTYD:-fattyd}
umask 077

# The second word of the line that begins with $1.
field() { awk -v name="$1" '$1 == name { print $2 }'; }

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
genesis="$dir/genesis.json"

# 1. Keys. `fattyd init` keeps a config.toml that is there.
validators=()
for v in v1 v2 v3 v4; do
	mkdir -p "$dir/$v"
	[ -e "$dir/$v/config.toml" ] || cp "$here/$v/config.toml" "$dir/$v/config.toml"
	made=$("$fattyd" --home "$dir/$v" init)
	validators+=(--validator "$v=$(field card <<<"$made")")
	if [ "$v" = v1 ]; then
		first="/ip4/127.0.0.1/udp/7070/quic-v1/p2p/$(field peer <<<"$made")"
	else
		# 2. Everyone joins by v1.
		sed -e "s|^bootstrap = \[\]|bootstrap = [\"$first\"]|" "$dir/$v/config.toml" >"$dir/$v/config.toml.new"
		mv "$dir/$v/config.toml.new" "$dir/$v/config.toml"
	fi
done

# 3. An account to write with.
[ -e "$dir/client/keys/client.key" ] || "$fatty" --home "$dir/client" key new >/dev/null
account=$("$fatty" --home "$dir/client" key show | field key)

# 4. One genesis, and everyone gets it.
[ -e "$genesis" ] || "$fattyd" genesis --chain "$chain" "${validators[@]}" --account "admin=$account:grant" --out "$genesis" >/dev/null
for v in v1 v2 v3 v4; do
	"$fattyd" --home "$dir/$v" init --chain "$genesis" >/dev/null
done
cp "$genesis" "$dir/client/genesis.json" # with it, fatty checks answers itself

cat <<END
The cell is made. Start each node, in a terminal or a service of its own:
  $fattyd --home $dir/v1 start
  $fattyd --home $dir/v2 start
  $fattyd --home $dir/v3 start
  $fattyd --home $dir/v4 start
Then look at it and write to it:
  $fatty --home $dir/client --node http://127.0.0.1:7071 status
  $fatty --home $dir/client --node http://127.0.0.1:7071 lock put --parents /demo/hello README.md
END
