/** A boiler house small enough to believe: one boiler, its heating circuit, the flue and the weather. Pure. */

export interface House {
  /** Boiler water, °C. */
  readonly boiler: number;
  /** Flue gas, °C. */
  readonly flue: number;
  readonly burner: boolean;
  /** What the operator may change: °C, and the pump of the heating circuit. */
  readonly setpoint: number;
  readonly pump: boolean;
  /** Outside, °C. */
  readonly outside: number;
  /** Heat drawn by the circuit: kW now, kWh since ever. */
  readonly power: number;
  readonly energy: number;
  /** Circuit flow, m³/h, and the water that comes back, °C. */
  readonly flow: number;
  readonly returned: number;
  /** Seconds that the burner ran. */
  readonly burnerSeconds: number;
}

export const START: House = {
  boiler: 48,
  flue: 60,
  burner: true,
  setpoint: 50,
  pump: true,
  outside: 6,
  power: 0,
  energy: 18_250,
  flow: 0,
  returned: 40,
  burnerSeconds: 7_700_000,
};

const BURNER_KW = 48;
/** About 60 l of water and the iron around it. */
const CAPACITY_KJ_PER_K = 300;
const LOSS_KW_PER_K = 0.05;
const ROOM = 19;
const HYSTERESIS = 2;
const WATER_KJ_PER_M3_K = 4180;
const DAY_MS = 86_400_000;

/** The house `seconds` later, at wall-clock `now`. */
export function step(house: House, seconds: number, now: number): House {
  const outside = weather(now);
  const burner = fires(house);
  const flow = approach(house.flow, house.pump ? 1.8 : 0, seconds / 2);
  // Radiators give off more the warmer the water and the colder it is outside.
  const draw = 0.35 + 0.02 * Math.max(0, 15 - outside);
  const power = (flow / 1.8) * draw * Math.max(0, house.boiler - ROOM);
  const heat = (burner ? BURNER_KW : 0) - power - LOSS_KW_PER_K * (house.boiler - ROOM);
  const boiler = house.boiler + (heat * seconds) / CAPACITY_KJ_PER_K;
  const spread = flow > 0.05 ? (power * 3600) / (WATER_KJ_PER_M3_K * flow) : 0;
  return {
    ...house,
    outside,
    burner,
    flow,
    power,
    boiler,
    energy: house.energy + (power * seconds) / 3600,
    returned: approach(house.returned, flow > 0.05 ? boiler - spread : ROOM, seconds / 20),
    flue: approach(house.flue, burner ? 142 : boiler, seconds / 25),
    burnerSeconds: house.burnerSeconds + (burner ? seconds : 0),
  };
}

/** Coldest at five in the morning, warmest twelve hours later. */
export function weather(now: number): number {
  return 6 - 5 * Math.cos(((now % DAY_MS) / DAY_MS - 5 / 24) * 2 * Math.PI);
}

function fires({ burner, boiler, setpoint }: House): boolean {
  if (boiler < setpoint - HYSTERESIS) return true;
  return burner && boiler < setpoint + HYSTERESIS;
}

/** Moves `from` towards `to`; `share` is elapsed time over the time constant. */
function approach(from: number, to: number, share: number): number {
  return to + (from - to) * Math.exp(-share);
}
