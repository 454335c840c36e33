// The case "threads" of bench/queue.c by a channel: `queue_go CASE [SECONDS]`; GOMAXPROCS says how many run at once.
package main

const room = 1024

func threads(count int) {
	items := make(chan int, room)
	go func() {
		for i := 0; i < count; i++ {
			items <- i
		}
	}()
	for i := 0; i < count; i++ {
		check(<-items == i, "an item was lost, or came twice")
	}
}

func main() {
	measure(map[string]func(int){"threads": threads})
}
