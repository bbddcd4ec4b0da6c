/** Names of assigned UUIDs, a few that devices have in common (pure). */

const SERVICES: Readonly<Record<string, string>> = {
  '1800': 'Generic Access',
  '1801': 'Generic Attribute',
  '1805': 'Current Time',
  '1808': 'Glucose',
  '1809': 'Health Thermometer',
  '180a': 'Device Information',
  '180d': 'Heart Rate',
  '180f': 'Battery',
  '1810': 'Blood Pressure',
  '1812': 'Human Interface Device',
  '1815': 'Automation IO',
  '1816': 'Cycling Speed and Cadence',
  '1818': 'Cycling Power',
  '181a': 'Environmental Sensing',
  '181b': 'Body Composition',
  '181d': 'Weight Scale',
  '1822': 'Pulse Oximeter',
  '1826': 'Fitness Machine',
};

const CHARACTERISTICS: Readonly<Record<string, string>> = {
  '2a00': 'Device Name',
  '2a01': 'Appearance',
  '2a05': 'Service Changed',
  '2a07': 'Tx Power Level',
  '2a19': 'Battery Level',
  '2a1c': 'Temperature Measurement',
  '2a24': 'Model Number',
  '2a25': 'Serial Number',
  '2a26': 'Firmware Revision',
  '2a27': 'Hardware Revision',
  '2a28': 'Software Revision',
  '2a29': 'Manufacturer Name',
  '2a2b': 'Current Time',
  '2a37': 'Heart Rate Measurement',
  '2a56': 'Digital',
  '2a58': 'Analog',
  '2a6c': 'Elevation',
  '2a6d': 'Pressure',
  '2a6e': 'Temperature',
  '2a6f': 'Humidity',
  '2a70': 'True Wind Speed',
  '2a76': 'UV Index',
  '2a77': 'Irradiance',
  '2a78': 'Rainfall',
  '2a7a': 'Heat Index',
  '2a7b': 'Dew Point',
  '2a98': 'Weight',
  '2a9d': 'Weight Measurement',
  '2aa1': 'Magnetic Flux Density 3D',
  '2aa3': 'Barometric Pressure Trend',
  '2ae2': 'Boolean',
  '2b29': 'Client Supported Features',
  '2b2a': 'Database Hash',
  '2bd0': 'CO2 Concentration',
};

/** By Assigned Numbers, 3.4. */
export function serviceName(uuid: string): string | undefined {
  return SERVICES[uuid];
}

/** By Assigned Numbers, 3.8. */
export function characteristicName(uuid: string): string | undefined {
  return CHARACTERISTICS[uuid];
}
