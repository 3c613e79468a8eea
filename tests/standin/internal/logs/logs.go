// Package logs writes lines as logrus does: key=value, a short form on a terminal, or JSON.
package logs

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Logger may be used by several goroutines at a time.
type Logger struct {
	JSON  bool
	Debug bool
	to    io.Writer
	exit  func(int)
	tty   bool
	began time.Time
	lock  sync.Mutex
}

// New writes to the standard error.
func New() *Logger {
	info, err := os.Stderr.Stat()
	l := To(os.Stderr, os.Exit)
	l.tty = err == nil && info.Mode()&os.ModeCharDevice != 0
	return l
}

// To writes to any place; exit is what Fatalf ends with.
func To(w io.Writer, exit func(int)) *Logger { return &Logger{to: w, exit: exit, began: time.Now()} }

func (l *Logger) line(level, format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	now := time.Now().UTC().Format(time.RFC3339)
	l.lock.Lock()
	defer l.lock.Unlock()
	switch {
	case l.JSON:
		out, _ := json.Marshal(map[string]string{"level": level, "msg": text, "time": now})
		fmt.Fprintf(l.to, "%s\n", out)
	case l.tty:
		fmt.Fprintf(l.to, "%s[%04d] %s\n", strings.ToUpper(level)[:4], int(time.Since(l.began).Seconds()), text)
	default:
		fmt.Fprintf(l.to, "time=%q level=%s msg=%q\n", now, level, text)
	}
}

func (l *Logger) Infof(format string, args ...any)  { l.line("info", format, args...) }
func (l *Logger) Warnf(format string, args ...any)  { l.line("warning", format, args...) }
func (l *Logger) Errorf(format string, args ...any) { l.line("error", format, args...) }

// Fatalf ends the program with status 1.
func (l *Logger) Fatalf(format string, args ...any) {
	l.line("fatal", format, args...)
	l.exit(1)
}
