package millrace.records;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.table.data.RowData;

/**
 * Reads its partitions in turn, one record of each. One that stays open reads what is appended to them, until there is a
 * file {@code end} beside them.
 */
final class RecordsReader implements SourceReader<RowData, Partition> {

    private static final String END = "end";

    private final String folder;
    private final boolean stayOpen;
    private final RecordDecoder decoder;
    private final SourceReaderContext context;
    private final Deque<OpenPartition> unfinished = new ArrayDeque<>();
    private final List<Partition> finished = new ArrayList<>();
    private CompletableFuture<Void> available = new CompletableFuture<>();
    private boolean complete;

    RecordsReader(String folder, boolean stayOpen, RecordDecoder decoder, SourceReaderContext context) {
        this.folder = folder;
        this.stayOpen = stayOpen;
        this.decoder = decoder;
        this.context = context;
    }

    @Override
    public void start() {
        try {
            decoder.open(context);
        } catch (Exception e) {
            throw new IllegalStateException("A format can't be opened", e);
        }
    }

    @Override
    public void addSplits(List<Partition> partitions) {
        try {
            for (Partition partition : partitions) {
                unfinished.add(new OpenPartition(partition));
            }
        } catch (IOException e) {
            throw new IllegalStateException("A partition's file can't be opened", e);
        }
        available.complete(null);
    }

    @Override
    public void notifyNoMoreSplits() {
        complete = true;
        available.complete(null);
    }

    @Override
    public InputStatus pollNext(ReaderOutput<RowData> output) throws Exception {
        OpenPartition partition = unfinished.poll();
        if (partition == null) {
            return atTheEnd();
        }
        Record record = partition.next();
        String split = partition.state().splitId();
        if (record == null) {
            finished.add(partition.state());
            partition.close();
            if (!stayOpen) {
                output.releaseOutputForSplit(split);
            }
        } else {
            unfinished.add(partition);
            var rows = output.createOutputForSplit(split);
            decoder.decode(record, row -> rows.collect(row, record.timestamp()));
        }
        return InputStatus.MORE_AVAILABLE;
    }

    private InputStatus atTheEnd() throws IOException {
        if (!stayOpen) {
            available = new CompletableFuture<>();
            return complete ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
        }
        // What was appended before the mark is read before the end.
        boolean isEnded = complete && Files.exists(Path.of(folder, END));
        reopenWhatHasGrown();
        if (!unfinished.isEmpty()) {
            return InputStatus.MORE_AVAILABLE;
        }
        available = CompletableFuture.runAsync(() -> {}, CompletableFuture.delayedExecutor(50, TimeUnit.MILLISECONDS));
        return isEnded ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
    }

    private void reopenWhatHasGrown() throws IOException {
        for (Partition partition : List.copyOf(finished)) {
            Path file = RecordsSource.file(folder, partition.number());
            if (Files.isRegularFile(file) && Files.size(file) > partition.position()) {
                finished.remove(partition);
                unfinished.add(new OpenPartition(partition));
            }
        }
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        return unfinished.isEmpty() ? available : CompletableFuture.completedFuture(null);
    }

    /** A finished partition stays in the state: what is appended to it before a restore is read after it. */
    @Override
    public List<Partition> snapshotState(long checkpoint) {
        List<Partition> state = new ArrayList<>(finished);
        unfinished.forEach(partition -> state.add(partition.state()));
        return state;
    }

    @Override
    public void close() throws Exception {
        for (OpenPartition partition : unfinished) {
            partition.close();
        }
    }

    private final class OpenPartition {

        private final int number;
        private final DataInputStream in;
        private long position;

        OpenPartition(Partition partition) throws IOException {
            number = partition.number();
            position = partition.position();
            // The file may be a pipe, which Files.newInputStream can't read.
            InputStream file = new FileInputStream(RecordsSource.file(folder, number).toFile());
            in = new DataInputStream(new BufferedInputStream(file));
            in.skipNBytes(position);
        }

        Record next() throws IOException {
            Record record = Record.read(number, in);
            position += record == null ? 0 : record.size();
            return record;
        }

        Partition state() {
            return new Partition(number, position);
        }

        void close() throws IOException {
            in.close();
        }
    }
}
