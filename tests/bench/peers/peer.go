// peer.go - Go's goroutines (Debian: golang-go), on one CPU as the others: see peer.h.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func cpuNs() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func median(run func(n int), n int) float64 {
	var costs []float64
	for i := 0; i < 9; i++ {
		start := cpuNs()
		run(n)
		costs = append(costs, (cpuNs()-start)/float64(n))
	}
	sort.Float64s(costs)
	return costs[4]
}

func switches(n int) {
	var both sync.WaitGroup
	for k := 0; k < 2; k++ {
		both.Add(1)
		go func() {
			for i := 0; i < n/2; i++ {
				runtime.Gosched()
			}
			both.Done()
		}()
	}
	both.Wait()
}

func spawns(n int) {
	for i := 0; i < n; i++ {
		var one sync.WaitGroup
		one.Add(1)
		go one.Done()
		one.Wait()
	}
}

func roundTrips(n int) {
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- v
		}
	}()
	for v := 0; v < n; v++ {
		there <- v
		<-back
	}
	close(there)
}

func memoryNow() (sum int) {
	status, _ := os.Open("/proc/self/status")
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if words[0] == "VmRSS:" || words[0] == "VmPTE:" {
			kib, _ := strconv.Atoi(words[1])
			sum += kib * 1024
		}
	}
	return sum
}

func sleepers(n int) {
	before := memoryNow()
	for i := 0; i < n; i++ {
		go time.Sleep(time.Hour)
	}
	runtime.Gosched()
	fmt.Println("sleeper", (memoryNow()-before)/n)
}

func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err = c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func serve(port string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	for err == nil {
		var c net.Conn
		if c, err = listener.Accept(); err == nil {
			go echo(c)
		}
	}
	return err
}

func main() {
	runtime.GOMAXPROCS(1)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "moves":
		fmt.Printf("switch %.1f\n", median(switches, 1000000))
		fmt.Printf("spawn %.1f\n", median(spawns, 300000))
		fmt.Printf("round-trip %.1f\n", median(roundTrips, 300000))
	case len(os.Args) == 3 && os.Args[1] == "sleepers":
		n, _ := strconv.Atoi(os.Args[2])
		sleepers(n)
	case len(os.Args) == 3 && os.Args[1] == "echo":
		fmt.Fprintln(os.Stderr, serve(os.Args[2]))
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "usage: peer moves | sleepers N | echo PORT")
		os.Exit(2)
	}
}
