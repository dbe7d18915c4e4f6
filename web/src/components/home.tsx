import { AlertStrip } from "./alerts";
import { Empty } from "./empty";
import { Hero } from "./hero";
import { Tile } from "./tile";
import { rooms, type Room } from "../state";

/** The first page: the house, then its devices by room. */
export function Home() {
  const all = rooms.value;
  if (all === null) return <Loading />;
  if (all.length === 0) return <Empty />;
  return (
    <>
      <AlertStrip />
      <Hero />
      <div class="rooms">
        {all.map((room) => (
          <RoomSection key={room.name} room={room} alone={all.length === 1} />
        ))}
      </div>
    </>
  );
}

/** The widest that a room gets, in tiles; the style sheet knows as many. */
const widestRoom = 4;

function RoomSection({ room, alone }: { room: Room; alone: boolean }) {
  const heading = room.name !== "" ? room.name : alone ? "Devices" : "Elsewhere";
  const width = alone ? widestRoom : Math.min(room.entries.length, widestRoom);
  return (
    <section class="room" data-tiles={width}>
      <h2>{heading}</h2>
      <div class="tiles">
        {room.entries.map((entry) => (
          <Tile key={entry.id} entry={entry} />
        ))}
      </div>
    </section>
  );
}

/** The page's shape until the first answer, of the sizes that the answer will take. */
function Loading() {
  return (
    <div aria-busy="true" aria-label="Loading">
      <div class="card hero skeleton" />
      <div class="rooms">
        <div class="room" data-tiles={widestRoom}>
          <h2>{"\u00a0"}</h2>
          <div class="tiles">
            {Array.from({ length: 8 }, (_, i) => (
              <div key={i} class="card tile skeleton" />
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}
