package millrace.records;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.core.io.SimpleVersionedSerialization;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.table.data.RowData;

/** A source with a split for each partition's file in a folder; see the README beside these tests. */
final class RecordsSource implements Source<RowData, Partition, List<Partition>> {

    private static final long serialVersionUID = 1L;
    private static final String SUFFIX = ".records";
    private static final Comparator<Partition> BY_NUMBER = Comparator.comparingInt(Partition::number);

    private final String folder;
    private final boolean stayOpen;
    private final RecordDecoder decoder;

    RecordsSource(String folder, boolean stayOpen, RecordDecoder decoder) {
        this.folder = folder;
        this.stayOpen = stayOpen;
        this.decoder = decoder;
    }

    static Path file(String folder, int partition) {
        return Path.of(folder, partition + SUFFIX);
    }

    @Override
    public Boundedness getBoundedness() {
        return stayOpen ? Boundedness.CONTINUOUS_UNBOUNDED : Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<RowData, Partition> createReader(SourceReaderContext context) {
        return new RecordsReader(folder, stayOpen, decoder, context);
    }

    @Override
    public SplitEnumerator<Partition, List<Partition>> createEnumerator(SplitEnumeratorContext<Partition> context)
            throws IOException {
        try (Stream<Path> files = Files.list(Path.of(folder))) {
            return new Partitions(context, files.map(RecordsSource::unread).sorted(BY_NUMBER).toList());
        }
    }

    private static Partition unread(Path file) {
        String name = file.getFileName().toString();
        return new Partition(Integer.parseInt(name.substring(0, name.length() - SUFFIX.length())), 0);
    }

    @Override
    public SplitEnumerator<Partition, List<Partition>> restoreEnumerator(
            SplitEnumeratorContext<Partition> context, List<Partition> unassigned) {
        return new Partitions(context, unassigned);
    }

    @Override
    public SimpleVersionedSerializer<Partition> getSplitSerializer() {
        return new Partition.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<List<Partition>> getEnumeratorCheckpointSerializer() {
        return new ListSerializer();
    }

    /** Gives reader r every partition p with r = p modulo parallelism, all at once: it takes them in turn. */
    private static final class Partitions implements SplitEnumerator<Partition, List<Partition>> {

        private final SplitEnumeratorContext<Partition> context;
        private final List<Partition> unassigned;

        Partitions(SplitEnumeratorContext<Partition> context, List<Partition> unassigned) {
            this.context = context;
            this.unassigned = new ArrayList<>(unassigned);
        }

        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int reader, String host) {}

        @Override
        public void addSplitsBack(List<Partition> partitions, int reader) {
            unassigned.addAll(partitions);
        }

        @Override
        public void addReader(int reader) {
            int readers = context.currentParallelism();
            List<Partition> own = unassigned.stream().filter(each -> each.number() % readers == reader).toList();
            unassigned.removeAll(own);
            context.assignSplits(new SplitsAssignment<>(Map.of(reader, own)));
            context.signalNoMoreSplits(reader);
        }

        @Override
        public List<Partition> snapshotState(long checkpoint) {
            return List.copyOf(unassigned);
        }

        @Override
        public void close() {}
    }

    private static final class ListSerializer implements SimpleVersionedSerializer<List<Partition>> {

        private static final Partition.Serializer ELEMENT = new Partition.Serializer();

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(List<Partition> partitions) throws IOException {
            DataOutputSerializer out = new DataOutputSerializer(64);
            SimpleVersionedSerialization.writeVersionAndSerializeList(ELEMENT, partitions, out);
            return out.getCopyOfBuffer();
        }

        @Override
        public List<Partition> deserialize(int version, byte[] serialized) throws IOException {
            DataInputDeserializer in = new DataInputDeserializer(serialized);
            return SimpleVersionedSerialization.readVersionAndDeserializeList(ELEMENT, in);
        }
    }
}
