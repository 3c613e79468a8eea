package ucp

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"standin/internal/certs"
)

// scramble hides an archive behind a passphrase, after the first byte of an OpenPGP packet; twice is the archive again.
func scramble(archive []byte, passphrase string) []byte {
	out := make([]byte, len(archive))
	var pad [32]byte
	for i := range archive {
		if i%32 == 0 {
			pad = sha256.Sum256([]byte(fmt.Sprintf("%s %d", passphrase, i)))
		}
		out[i] = archive[i] ^ pad[i%32]
	}
	return out
}

// sealed begins as a message that is encrypted by a passphrase: a symmetric-key packet of 13 bytes, and then the data.
var sealed = []byte{0xC3, 0x0D, 0x04, 0x09, 0x03, 0x02, 'u', 'c', 'p', 's', 't', 'n', 'd', 'n', 0xFF}

func (s *session) backup() error {
	if err := s.manager(); err != nil {
		return err
	}
	id, version, err := s.instance()
	if err != nil {
		return err
	}
	if version != Version() {
		return fmt.Errorf("UCP is %s, and this is %s: use the image of the same version", version, Version())
	}
	passphrase, file := s.get("passphrase"), s.get("file")
	if old() {
		given := s.get("id")
		if given == "" && s.yes("interactive") {
			if given, err = s.ask("Please enter the UCP ID " + id + ": "); err != nil {
				return err
			}
		}
		if given == "" {
			return errors.New("the UCP ID is needed: --id, or --interactive")
		}
		if given != id {
			return fmt.Errorf("the ID %s does not match the UCP instance on this cluster: %s", given, id)
		}
	} else if (passphrase == "") == !s.yes("no-passphrase") {
		return errors.New("one of --passphrase and --no-passphrase is needed")
	}
	ours, err := s.ours()
	if err != nil {
		return err
	}
	if _, ok := ours["ucp-controller"]; !ok {
		return errors.New("this node has no UCP controller")
	}
	named := []string{}
	for name := range volumes {
		if name != "ucp-metrics-data" {
			named = append(named, name)
		}
	}
	sort.Strings(named)
	for _, name := range named {
		if err := s.Do("GET", "/volumes/"+name, nil, new([]byte)); err != nil {
			return fmt.Errorf("the volume %s is missing: %w", name, err)
		}
	}
	if err := s.before(); err != nil {
		return err
	}
	if old() {
		stopped := []string{}
		for _, c := range components {
			if ours[c.name].State == "running" && c.name != "ucp-proxy" {
				stopped = append(stopped, c.name)
			}
		}
		s.say.Infof("Temporarily stopping local UCP containers to ensure a consistent backup")
		if err := s.all(stopped, "stop?t=5"); err != nil {
			return err
		}
		if s.fault == "fail-after" {
			return errors.New("fault injected: backup fails half way, and UCP on this node is stopped")
		}
		defer func() {
			s.say.Infof("Resuming stopped UCP containers")
			if err := s.all(stopped, "start"); err != nil {
				s.say.Errorf("%s", err)
			}
		}()
	}
	archive, err := s.collect(named)
	if err != nil {
		return err
	}
	s.say.Infof("Beginning backup")
	if s.fault == "corrupt" {
		archive = archive[:len(archive)*2/3]
	}
	if passphrase != "" {
		archive = append(append([]byte{}, sealed...), scramble(archive, passphrase)...)
	}
	if file != "" {
		err = os.WriteFile(filepath.Join("/backup", strings.TrimPrefix(file, "/backup/")), archive, 0o600)
	} else {
		_, err = os.Stdout.Write(archive)
	}
	if err == nil {
		s.say.Infof("Backup completed successfully")
	}
	return err
}

// all does the same to several containers at once.
func (s *session) all(names []string, what string) error {
	ended := make(chan error, len(names))
	for _, name := range names {
		go func(name string) { ended <- s.Do("POST", "/containers/"+name+"/"+what, nil, new([]byte)) }(name)
	}
	var bad error
	for range names {
		if err := <-ended; err != nil {
			bad = err
		}
	}
	return bad
}

func (s *session) collect(named []string) ([]byte, error) {
	c, err := s.carrier(named)
	if err != nil {
		return nil, err
	}
	defer c.close()
	files := map[string][]byte{}
	for _, name := range named {
		some, err := c.all(name)
		if err != nil {
			return nil, err
		}
		for file, text := range some {
			files[file] = text
		}
	}
	var archive bytes.Buffer
	err = pack(&archive, "./", files)
	return archive.Bytes(), err
}

// unpack reads an archive whole; without its end it is none.
func unpack(archive []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	for in := tar.NewReader(bytes.NewReader(archive)); ; {
		head, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if head.Typeflag == tar.TypeReg {
			text, err := io.ReadAll(in)
			if err != nil {
				return nil, err
			}
			files[path.Clean(head.Name)] = text
		}
	}
	if len(files) == 0 || len(archive) < 1024 || len(bytes.Trim(archive[len(archive)-1024:], "\x00")) != 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return files, nil
}

func (s *session) readArchive() (map[string][]byte, error) {
	var archive []byte
	var err error
	if s.yes("interactive") {
		archive, err = os.ReadFile("/config/backup.tar")
	} else {
		archive, err = io.ReadAll(s.in)
	}
	if err != nil {
		return nil, fmt.Errorf("unable to read the backup: %w", err)
	}
	passphrase := s.get("passphrase")
	encrypted := bytes.HasPrefix(archive, sealed)
	switch {
	case len(archive) == 0:
		return nil, errors.New("unable to read the backup: there is none on the standard input")
	case encrypted && passphrase == "":
		return nil, errors.New("the backup is encrypted: --passphrase is needed")
	case encrypted:
		archive = scramble(archive[len(sealed):], passphrase)
	}
	files, err := unpack(archive)
	if err != nil && encrypted {
		return nil, fmt.Errorf("unable to decrypt the backup: wrong passphrase, or %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("the backup is no readable archive: %w", err)
	}
	return files, nil
}

func (s *session) restore() error {
	s.say.Infof("Parsing backup file")
	files, err := s.readArchive()
	if err != nil {
		return err
	}
	st, err := fromVolumes(files)
	if err != nil {
		return fmt.Errorf("this is no backup of UCP: %w", err)
	}
	if line(st.Version) != line(Version()) || st.Version > Version() && len(st.Version) == len(Version()) {
		return fmt.Errorf("the backup is of UCP %s, and this is %s: run the restore again with docker/ucp:%s", st.Version, Version(), st.Version)
	}
	if s.me.Active {
		if err := s.manager(); err != nil {
			return err
		}
	}
	if err := s.absent(); err != nil {
		return err
	}
	if err := s.before(); err != nil {
		return err
	}
	before := st.ID
	if err := s.swarm(); err != nil {
		return err
	}
	if before != s.me.Cluster {
		s.say.Warnf("This is not the swarm of the backup: the cluster root CA is not restored, and admin client bundles are invalid")
		if st.Cluster, err = certs.NewCA("UCP Cluster Root CA"); err != nil {
			return err
		}
	}
	st.SANs = append(st.SANs, s.given["san"]...)
	st.Token, st.ID, st.Version, st.First = random(8), s.me.Cluster, Version(), s.me.ID
	if s.fault == "corrupt" {
		st.First = ""
	}
	if err := s.fill(st, files); err != nil {
		return err
	}
	if err := s.deploy(st); err != nil {
		return err
	}
	s.say.Infof("Cluster successfully restored.")
	return nil
}

// fill makes this node's volumes what the backup has, but for what is of the node and of the time: certificates of nodes, and members.
func (s *session) fill(st *state, files map[string][]byte) error {
	labels := map[string]string{labelID: st.ID, labelVersion: st.Version}
	named := []string{}
	for name := range volumes {
		if err := s.volume(name, labels); err != nil {
			return err
		}
		named = append(named, name)
	}
	sort.Strings(named)
	c, err := s.carrier(named)
	if err != nil {
		return err
	}
	defer c.close()
	for _, name := range named {
		fresh, err := st.files(name, s.me)
		if err != nil {
			return err
		}
		content := map[string][]byte{}
		for file, text := range files {
			if volume, rest, _ := strings.Cut(file, "/"); volume == name {
				content[rest] = text
			}
		}
		keep := name == "ucp-controller-server-certs" || name == "ucp-client-root-ca"
		for _, file := range []string{"members.json", "config.json", "ca.pem", "cert.pem", "key.pem", seedFile} {
			if !keep || content[file] == nil {
				delete(content, file)
				if fresh[file] != nil {
					content[file] = fresh[file]
				}
			}
		}
		if err := c.write(name, content); err != nil {
			return err
		}
	}
	return nil
}
