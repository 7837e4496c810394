// SPDX-License-Identifier: Apache-2.0
// Dropwizard metrics and HdrHistogram as peers (remote.c): each line "OPERATION TIMES THREADS" is answered with
// nanoseconds. All operations are run for a second each before "ready", so that the compiler has seen them.
import com.codahale.metrics.Counter;
import com.codahale.metrics.Histogram;
import com.codahale.metrics.Meter;
import com.codahale.metrics.MetricRegistry;
import com.codahale.metrics.Timer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.function.LongConsumer;
import org.HdrHistogram.AtomicHistogram;

public class Peers {
    static final MetricRegistry registry = new MetricRegistry();
    static final Counter counter = registry.counter("bench.counter");
    static final Meter meter = registry.meter("bench.meter");
    static final Histogram histogram = registry.histogram("bench.histogram");
    static final Timer timer = registry.timer("bench.timer");
    static final AtomicHistogram hdr = new AtomicHistogram(3600000000L, 2);

    static void inc(long n) {
        for (long i = 0; i < n; i++) counter.inc();
    }

    static void mark(long n) {
        for (long i = 0; i < n; i++) meter.mark();
    }

    static void update(long n) {
        for (long i = 0; i < n; i++) histogram.update(i & 1023);
    }

    static void time(long n) {
        for (long i = 0; i < n; i++) timer.time().stop();
    }

    static void find(long n) {
        for (long i = 0; i < n; i++) registry.counter("bench.requests.cart.200");
    }

    static void hdr(long n) {
        for (long i = 0; i < n; i++) hdr.recordValue(i & 1023);
    }

    static long run(LongConsumer operation, long n, int threads) throws InterruptedException {
        if (threads == 1) {
            long start = System.nanoTime();
            operation.accept(n);
            return System.nanoTime() - start;
        }
        Thread[] all = new Thread[threads];
        CountDownLatch ready = new CountDownLatch(threads), go = new CountDownLatch(1);
        for (int t = 0; t < threads; t++) {
            all[t] = new Thread(() -> {
                ready.countDown();
                try {
                    go.await();
                } catch (InterruptedException e) {
                    return;
                }
                operation.accept(n);
            });
            all[t].start();
        }
        ready.await();
        long start = System.nanoTime();
        go.countDown();
        for (Thread t : all) t.join();
        return System.nanoTime() - start;
    }

    public static void main(String[] args) throws Exception {
        Map<String, LongConsumer> operations = new TreeMap<>();
        operations.put("inc", Peers::inc);
        operations.put("mark", Peers::mark);
        operations.put("update", Peers::update);
        operations.put("time", Peers::time);
        operations.put("find", Peers::find);
        operations.put("hdr", Peers::hdr);
        for (int i = 0; i < 10000; i++) registry.counter("bench.requests.cart." + i);
        for (LongConsumer operation : operations.values()) {
            long end = System.nanoTime() + 1000000000L;
            while (System.nanoTime() < end) operation.accept(10000);
        }
        System.out.println("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null;) {
            String[] words = line.split(" ");
            System.out.println(run(operations.get(words[0]), Long.parseLong(words[1]), Integer.parseInt(words[2])));
        }
    }
}
