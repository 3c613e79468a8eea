package dtr

import (
	"os"
	"strings"
	"time"
)

// findFault reads which fault this command has: STANDIN_FAULT="command:fault", or the file named after the command in the
// volume standin-faults of the engine that runs the bootstrap.
func (s *session) findFault() {
	if command, fault, ok := strings.Cut(os.Getenv("STANDIN_FAULT"), ":"); ok && command == s.command {
		s.fault = fault
		return
	}
	where := []string{}
	for _, v := range s.volumes() {
		if host, name, _ := strings.Cut(v, "/"); name == "standin-faults" {
			where = append(where, host)
		}
	}
	if len(where) == 0 {
		return
	}
	here := ""
	self, _ := os.Hostname()
	for _, host := range where {
		if host == self { // on the host's network
			here = host
		}
	}
	for _, c := range s.containers() {
		if len(self) == 12 && strings.HasPrefix(c.ID, self) {
			here = c.Node
		}
	}
	if !contains(where, here) {
		return
	}
	found, err := s.run(place{host: here, network: "none", name: "standin-fault-" + random(4), binds: []string{"standin-faults:/faults:ro"}},
		job{Do: "fault", Replica: s.command}, nil)
	if err == nil {
		s.fault = found.Text
	}
}

// before is called when all is checked and nothing is changed yet.
func (s *session) before() {
	word, seconds, _ := strings.Cut(s.fault, "=")
	switch word {
	case "fail-before":
		s.say.fatal("fault injected: %s fails before it changes anything", s.command)
	case "hang":
		select {}
	case "slow":
		if pause, err := time.ParseDuration(seconds + "s"); err == nil {
			time.Sleep(pause)
		}
	}
}

// after is called when all is done.
func (s *session) after() {
	if s.fault == "fail-after" {
		s.say.fatal("fault injected: %s fails after it changed everything", s.command)
	}
}

func (s *session) corrupt() bool { return s.fault == "corrupt" }
