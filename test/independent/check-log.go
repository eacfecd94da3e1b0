// Command check-log reads an exported ledger with golang.org/x/mod's implementation of logs and notes, which shares no code with ours,
// and says whether everything in it holds: notes, cosignatures, entries, tiles, inclusion and consistency proofs.
//
// GO111MODULE=off GOPATH=/usr/share/gocode go run check-log.go -vkey KEY [-cosigner KEY] [-proofs FOLDER] FOLDER
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// cosigner verifies the signature type that x/mod does not have: c2sp.org/tlog-cosignature with Ed25519.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, []byte(message), sig[8:])
}

func newCosigner(text string) (*cosigner, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("the key of the cosigner does not have three parts")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, errors.New("the key of the cosigner is not of type 0x04")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	hash := binary.BigEndian.Uint32(sum[:4])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		return nil, errors.New("the key id of the cosigner is not that of its key")
	}
	return &cosigner{parts[0], hash, ed25519.PublicKey(key[1:])}, nil
}

// log is what was read: each record hash in its place, and what the checkpoint says.
type log struct {
	folder string
	size   int64
	root   tlog.Hash
	stored []tlog.Hash
	leaves []tlog.Hash
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(l.stored)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		hashes[i] = l.stored[index]
	}
	return hashes, nil
}

// openCheckpoint verifies a note with all the given keys and reads its three lines.
func openCheckpoint(msg []byte, known []note.Verifier) (int64, tlog.Hash, error) {
	var none tlog.Hash
	opened, err := note.Open(msg, note.VerifierList(known...))
	if err != nil {
		return 0, none, err
	}
	for _, verifier := range known {
		found := false
		for _, sig := range opened.Sigs {
			found = found || sig.Name == verifier.Name() && sig.Hash == verifier.KeyHash()
		}
		if !found {
			return 0, none, fmt.Errorf("not signed by %s", verifier.Name())
		}
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != known[0].Name() {
		return 0, none, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, none, err
	}
	root, err := tlog.ParseHash(lines[2])
	return size, root, err
}

func (l *log) readEntries() error {
	for first := int64(0); first < l.size; first += tileWidth {
		count := l.size - first
		if count > tileWidth {
			count = tileWidth
		}
		tile := tlog.Tile{H: tileHeight, L: -1, N: first / tileWidth, W: int(count)}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(l.folder, path))
		if err != nil {
			return err
		}
		for i := int64(0); i < count; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("%s ends inside entry %d", path, first+i)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			leaf := tlog.RecordHash(data[2:end])
			hashes, err := tlog.StoredHashesForRecordHash(first+i, leaf, l)
			if err != nil {
				return err
			}
			l.stored = append(l.stored, hashes...)
			l.leaves = append(l.leaves, leaf)
			data = data[end:]
		}
		if len(data) > 0 {
			return fmt.Errorf("%s has more than its entries", path)
		}
	}
	root, err := tlog.TreeHash(l.size, l)
	if err != nil {
		return err
	}
	if root != l.root {
		return fmt.Errorf("the entries make the root %v, the checkpoint says %v", root, l.root)
	}
	return nil
}

func (l *log) checkTiles() (int, error) {
	checked := 0
	for _, tile := range tlog.NewTiles(tileHeight, 0, l.size) {
		// x/mod lists a partial tile once for each width that it ever had; a log of this size needs the widest.
		width := l.size>>(tileHeight*tile.L) - tile.N*tileWidth
		if width < tileWidth && int64(tile.W) != width {
			continue
		}
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		found, err := os.ReadFile(filepath.Join(l.folder, path))
		if err != nil {
			return 0, err
		}
		wanted, err := tlog.ReadTileData(tile, l)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(found, wanted) {
			return 0, fmt.Errorf("%s is not the tile of these entries", path)
		}
		checked++
	}
	return checked, nil
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	hashes := []tlog.Hash{}
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// checkInclusion checks one c2sp.org/tlog-proof text against its own checkpoint.
func (l *log) checkInclusion(text string, known []note.Verifier) error {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return errors.New("not a proof")
	}
	index, err := strconv.ParseInt(lines[1][len("index "):], 10, 64)
	if err != nil {
		return err
	}
	hashes, err := parseHashes(lines[2:])
	if err != nil {
		return err
	}
	size, root, err := openCheckpoint([]byte(checkpoint), known)
	if err != nil {
		return err
	}
	if index < 0 || index >= int64(len(l.leaves)) {
		return fmt.Errorf("no entry %d", index)
	}
	return tlog.CheckRecord(tlog.RecordProof(hashes), size, root, index, l.leaves[index])
}

// checkConsistency checks one line: the two sizes, then the hashes.
func (l *log) checkConsistency(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return errors.New("not a proof")
	}
	older, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return err
	}
	newer, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return err
	}
	hashes, err := parseHashes(words[2:])
	if err != nil {
		return err
	}
	if newer > l.size || older < 1 {
		return errors.New("no such tree")
	}
	newRoot, err := tlog.TreeHash(newer, l)
	if err != nil {
		return err
	}
	oldRoot, err := tlog.TreeHash(older, l)
	if err != nil {
		return err
	}
	return tlog.CheckTree(tlog.TreeProof(hashes), newer, newRoot, older, oldRoot)
}

func (l *log) checkProofs(folder string, log note.Verifier) (int, int, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.tlog-proof"))
	if err != nil {
		return 0, 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, 0, err
		}
		if err := l.checkInclusion(string(text), []note.Verifier{log}); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "consistency.txt"))
	if err != nil {
		return 0, 0, err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		if err := l.checkConsistency(line); err != nil {
			return 0, 0, fmt.Errorf("consistency proof %d: %w", i+1, err)
		}
	}
	return len(files), len(lines), nil
}

func run(folder, vkey, cosignerKey, proofs string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	known := []note.Verifier{verifier}
	if cosignerKey != "" {
		witness, err := newCosigner(cosignerKey)
		if err != nil {
			return err
		}
		known = append(known, witness)
	}
	msg, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	l := &log{folder: folder}
	if l.size, l.root, err = openCheckpoint(msg, known); err != nil {
		return err
	}
	if err := l.readEntries(); err != nil {
		return err
	}
	tiles, err := l.checkTiles()
	if err != nil {
		return err
	}
	inclusion, consistency := 0, 0
	if proofs != "" {
		if inclusion, consistency, err = l.checkProofs(proofs, verifier); err != nil {
			return err
		}
	}
	fmt.Printf("verified: %d entries, %d tiles, %d signatures, %d inclusion proofs, %d consistency proofs\n",
		l.size, tiles, len(known), inclusion, consistency)
	return nil
}

func main() {
	vkey := flag.String("vkey", "", "the log's verifier key")
	witness := flag.String("cosigner", "", "a witness's key, whose cosignature the checkpoint must carry")
	proofs := flag.String("proofs", "", "a folder of *.tlog-proof and consistency.txt")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *vkey, *witness, *proofs); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}
