// An outsider's verifier of an access log: Go's own implementation of transparency logs (golang.org/x/mod/sumdb), and nothing of ours.
//
//	go run . URL VERIFIER-KEY [FOLDER OF A RECEIPT ...]
//
// It takes the checkpoint and every tile of hashes, computes the root from the hashes of the leaves, proves leaves to be in the log by
// tiles alone (about a thousand of them, evenly), and that each receipt is of the same log at an earlier time. Folders are as
// `lienthong lookup --save` writes them: `receipt.tlog-proof` and `leaf.bin` are read.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Leaves that a full tile has, as a power of two.
const height = 8

// A log at the paths of C2SP tlog-tiles.
type log struct {
	url string
	key note.Verifier
}

func (l *log) get(path string) ([]byte, error) {
	response, err := http.Get(l.url + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}

// What a checkpoint says, if the log signed it.
func (l *log) open(checkpoint []byte) (tlog.Tree, error) {
	opened, err := note.Open(checkpoint, note.VerifierList(l.key))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != l.key.Name() || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("no checkpoint of this log: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("no size: %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// Height, ReadTiles and SaveTiles are what Go's reader of hashes wants of whoever fetches tiles.
func (l *log) Height() int { return height }

func (l *log) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, tile := range tiles {
		// Go writes the height into the path, C2SP does not.
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		found, err := l.get(path)
		if err != nil {
			return nil, err
		}
		all[i] = found
	}
	return all, nil
}

func (l *log) SaveTiles([]tlog.Tile, [][]byte) {}

// The hashes of the leaves, which the tiles of the lowest level are.
func (l *log) leaves(size int64) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	for begin := int64(0); begin < size; begin += 1 << height {
		tile := tlog.Tile{H: height, L: 0, N: begin >> height, W: int(min(size-begin, 1<<height))}
		found, err := l.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return nil, err
		}
		if len(found[0]) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tile.Path(), len(found[0]))
		}
		for hash := range tile.W {
			leaves = append(leaves, tlog.Hash(found[0][hash*tlog.HashSize:]))
		}
	}
	return leaves, nil
}

// The root of leaves, from nothing but them.
func root(leaves []tlog.Hash) (tlog.Hash, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(places []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(places))
		for i, place := range places {
			hashes[i] = stored[place]
		}
		return hashes, nil
	})
	for n, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(n), leaf, reader)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored = append(stored, more...)
	}
	return tlog.TreeHash(int64(len(leaves)), reader)
}

// A receipt: its leaf is in the log as it was then, and the log now has grown from that one.
func (l *log) receipt(folder string, now tlog.Tree, tiles tlog.HashReader) error {
	file := filepath.Join(folder, "receipt.tlog-proof")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	leaf, err := os.ReadFile(filepath.Join(folder, "leaf.bin"))
	if err != nil {
		return err
	}
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("%s is no receipt", file)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return fmt.Errorf("%s: no hash: %q", file, line)
		}
		proof = append(proof, tlog.Hash(hash))
	}
	then, err := l.open(checkpoint)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, then.N, then.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	grown, err := tlog.ProveTree(now.N, then.N, tiles)
	if err != nil {
		return err
	}
	return tlog.CheckTree(grown, now.N, now.Hash, then.N, then.Hash)
}

func verify(arguments []string) error {
	if len(arguments) < 2 {
		return fmt.Errorf("go run . URL VERIFIER-KEY [FOLDER OF A RECEIPT ...]")
	}
	key, err := note.NewVerifier(strings.TrimSpace(arguments[1]))
	if err != nil {
		return err
	}
	own := &log{url: strings.TrimSuffix(arguments[0], "/"), key: key}
	checkpoint, err := own.get("checkpoint")
	if err != nil {
		return err
	}
	tree, err := own.open(checkpoint)
	if err != nil {
		return err
	}
	leaves, err := own.leaves(tree.N)
	if err != nil {
		return err
	}
	computed, err := root(leaves)
	if err != nil {
		return err
	}
	if computed != tree.Hash {
		return fmt.Errorf("the root of %d leaves is %v, signed is %v", tree.N, computed, tree.Hash)
	}
	tiles := tlog.TileHashReader(tree, own)
	// Every one of a small log, some of a large one: each is a way through all levels.
	step := max(1, tree.N/1000)
	for n := int64(0); n < tree.N; n += step {
		proof, err := tlog.ProveRecord(tree.N, n, tiles)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaves[n]); err != nil {
			return fmt.Errorf("leaf %d: %w", n, err)
		}
	}
	receipts := arguments[2:]
	for _, folder := range receipts {
		if err := own.receipt(folder, tree, tiles); err != nil {
			return err
		}
	}
	fmt.Printf("%s: %d leaves, %d receipts\n", key.Name(), tree.N, len(receipts))
	return nil
}

func main() {
	if err := verify(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}
